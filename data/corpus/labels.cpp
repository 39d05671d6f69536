#include "data/corpus/labels.h"

#include "core/base/error.h"

namespace trireme::data {

std::string_view name_of(Labels::Of of) {
  static constexpr std::string_view kNames[] = {"nothing", "texts", "tokens", "answers", "preferences"};
  return kNames[static_cast<std::size_t>(of)];
}

std::int64_t LabelStorage::ids() const {
  if (labels.of_answers()) return 2 * token_ids;
  return token_ids + static_cast<std::int64_t>(labels.names.size()) + (labels.of == Labels::Of::kTokens ? 1 : 0);
}

std::vector<TokenId> LabelStorage::row(const LabelledText& text) const {
  const auto names = static_cast<std::int64_t>(labels.names.size());
  std::vector<TokenId> row = text.ids;
  if (labels.of_answers()) {
    for (std::size_t i = 0; i < row.size(); ++i)
      if (text.labels[i] >= 0) row[i] += static_cast<TokenId>(token_ids);
    return row;
  }
  for (const std::int64_t label : text.labels)
    row.push_back(static_cast<TokenId>(token_ids + (label < 0 ? names : label)));
  return row;
}

LabelledText LabelStorage::text(std::vector<TokenId> row, const std::string& origin) const {
  const bool of_tokens = labels.of == Labels::Of::kTokens;
  const auto fail = [&](const char* what) {
    throw Error(ErrorCode::kCorrupt, origin, " is damaged: a labelled text ", what);
  };
  LabelledText text;
  if (labels.of_answers()) {
    if (row.size() < 2) fail("has less than two tokens");
    for (TokenId& id : row) {
      if (id >= 2 * token_ids) fail("has no token where one is due");
      const bool is_answer = id >= token_ids;
      if (is_answer) id -= static_cast<TokenId>(token_ids);
      text.labels.push_back(is_answer ? id : -1);
    }
    text.ids = std::move(row);
    return text;
  }
  if (row.size() < 2 || (of_tokens && row.size() % 2 != 0)) fail("has other numbers of tokens and labels");
  const auto tokens = static_cast<std::ptrdiff_t>(of_tokens ? row.size() / 2 : row.size() - 1);
  const auto names = static_cast<std::int64_t>(labels.names.size());
  for (auto id = row.begin() + tokens; id != row.end(); ++id) {
    const std::int64_t label = *id - token_ids;
    if (label < 0 || label >= names + (of_tokens ? 1 : 0)) fail("has a token where a label is due");
    text.labels.push_back(label == names ? -1 : label);
  }
  row.resize(static_cast<std::size_t>(tokens));
  for (const TokenId id : row)
    if (id >= token_ids) fail("has a label where a token is due");
  text.ids = std::move(row);
  return text;
}

}  // namespace trireme::data
