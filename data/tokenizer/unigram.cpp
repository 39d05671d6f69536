#include "data/tokenizer/unigram.h"

#include <algorithm>
#include <limits>

#include "data/tokenizer/utf8.h"

namespace trireme::data {
namespace {

using Json = nlohmann::json;

constexpr std::uint32_t kNowhere = ~std::uint32_t{0};

const Json& entries_of(const JsonReader& reader, const Json& model) {
  const Json& entries = reader.member(model, "vocab", "model");
  if (!entries.is_array()) reader.refuse("model.vocab must be an array, got ", JsonReader::shown(entries));
  if (entries.size() > static_cast<std::size_t>(kMaxTokenIds))
    reader.refuse("model.vocab has ", entries.size(), " tokens, at most ", kMaxTokenIds, " are supported");
  return entries;
}

}  // namespace

TokenModel::Tokens Unigram::read_tokens(const JsonReader& reader, const Json& model) {
  Tokens tokens;
  for (const Json& entry : entries_of(reader, model)) {
    if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_number())
      reader.refuse("model.vocab[", tokens.size(), "] must be [token, score], got ", JsonReader::shown(entry));
    tokens.emplace_back(entry[0].get<std::string>(), static_cast<TokenId>(tokens.size()));
  }
  return tokens;
}

Unigram::Unigram(const JsonReader& reader, const Json& model, const Vocabulary& vocabulary) : vocabulary_(vocabulary) {
  reader.require_known_keys(model, "model", {"unk_id", "vocab", "byte_fallback"});
  has_fallback_ = reader.boolean(model, "byte_fallback", "model", false);
  if (has_fallback_) fallback_ = fallback_tokens(vocabulary);
  double least = std::numeric_limits<double>::infinity();
  for (const Json& entry : entries_of(reader, model)) {
    const double score = entry[1].get<double>();
    const auto id = static_cast<std::uint32_t>(scores_.size());
    if (const std::string& token = entry[0].get_ref<const std::string&>(); !token.empty()) trie_.put(token, id);
    scores_.push_back(score);
    least = std::min(least, score);
  }
  unknown_score_ = least - 10;  // SentencePiece's penalty
  if (model.contains("unk_id") && !model["unk_id"].is_null())
    unknown_ =
        static_cast<TokenId>(reader.count(model, "unk_id", "model", 0, static_cast<std::int64_t>(scores_.size()) - 1));
}

void Unigram::encode(std::string_view piece, std::vector<TokenId>& ids, std::vector<TextSpan>* spans,
                     Scratch& scratch) const {
  // Of the best path to each byte: its score, where its last token begins, and that token.
  auto& score = scratch.score;
  auto& begin = scratch.previous;
  auto& token = scratch.ids;
  if (piece.size() >= kNowhere)
    throw Error(ErrorCode::kBadInput, "text has ", piece.size(), " bytes without a border, at most ", kNowhere - 1,
                " fit; split the document");
  score.assign(piece.size() + 1, 0);
  begin.assign(piece.size() + 1, kNowhere);
  token.resize(piece.size() + 1);
  constexpr TokenId kUnknown = -1;
  const auto offer = [&](std::size_t from, std::size_t to, double of_path, TokenId id) {
    if (begin[to] != kNowhere && of_path <= score[to]) return;
    if (id == kUnknown && !unknown_) throw_no_token(piece.substr(from, to - from));
    score[to] = of_path;
    begin[to] = static_cast<std::uint32_t>(from);
    token[to] = id;
  };
  for (std::size_t at = 0; at < piece.size();) {
    const std::uint32_t character = utf8_step(piece.substr(at)).size;
    bool is_known = false;
    trie_.for_each_prefix(piece.substr(at), [&](std::size_t size, std::uint32_t id) {
      offer(at, at + size, score[at] + scores_[id], static_cast<TokenId>(id));
      is_known = is_known || size == character;
    });
    if (!is_known) offer(at, at + character, score[at] + unknown_score_, kUnknown);
    at += character;
  }
  // From the end, with neighbours that are unknown as one.
  const std::size_t first = ids.size();
  const auto is_unknown = [&](TokenId id) { return id == kUnknown || id == unknown_; };
  for (std::size_t end = piece.size(); end > 0;) {
    std::size_t from = begin[end];
    const TokenId id = token[end];
    if (is_unknown(id)) {
      while (from > 0 && is_unknown(token[from])) from = begin[from];
    }
    const TextSpan span{static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(end)};
    const std::string_view text = piece.substr(from, end - from);
    const auto put = [&](TokenId made) {
      ids.push_back(made);
      if (spans) spans->push_back(span);
    };
    const auto fallback = [&](char byte) { return fallback_[static_cast<unsigned char>(byte)]; };
    if (!is_unknown(id)) {
      put(id);
    } else if (const auto known = vocabulary_.model_id_of(text)) {  // several unknown ones may spell a token
      put(*known);
    } else if (has_fallback_ && std::ranges::all_of(text, [&](char byte) { return fallback(byte) >= 0; })) {
      for (std::size_t i = text.size(); i > 0; --i) put(fallback(text[i - 1]));
    } else {
      put(*unknown_);
    }
    end = from;
  }
  std::reverse(ids.begin() + static_cast<std::ptrdiff_t>(first), ids.end());
  if (spans) std::reverse(spans->end() - static_cast<std::ptrdiff_t>(ids.size() - first), spans->end());
}

}  // namespace trireme::data
