#include "data/tokenizer/vocabulary.h"

#include <algorithm>

#include "core/base/error.h"
#include "data/tokenizer/byte_alphabet.h"

namespace trireme::data {

Vocabulary::Vocabulary(const std::vector<std::pair<std::string, TokenId>>& tokens, const std::vector<AddedToken>& added,
                       const std::string& origin) {
  TokenId last = -1;
  for (const auto& [token, id] : tokens) last = std::max(last, id);
  for (const AddedToken& token : added) last = std::max(last, token.id);
  kind_.resize(index(last + 1), Kind::kHole);
  begin_.resize(kind_.size());
  size_.resize(kind_.size());

  const auto put = [&](TokenId id, Kind kind, std::string_view spelling) {
    kind_[index(id)] = kind;
    begin_[index(id)] = static_cast<std::uint32_t>(spellings_.size());  // the file is far below 4 GiB
    size_[index(id)] = static_cast<std::uint32_t>(spelling.size());
    spellings_ += spelling;
  };

  by_spelling_.reserve(tokens.size() + added.size());
  for (const auto& [token, id] : tokens) {
    if (kind_[index(id)] != Kind::kHole)
      throw Error(ErrorCode::kBadInput, origin, ": model.vocab gives id ", id, " twice, to ", quoted(token), " and to ",
                  quoted(std::string(spelling(id))));
    put(id, Kind::kPlain, token);
    by_spelling_.insert_or_assign(token, Known{id, true});
  }
  for (const AddedToken& token : added) {
    const auto [known, is_new] = by_spelling_.emplace(token.content, Known{token.id, false});
    if (known->second.id != token.id)
      throw Error(ErrorCode::kBadInput, origin, ": added token ", quoted(token.content), " has id ", token.id,
                  ", but elsewhere id ", known->second.id);
    if (is_new && kind_[index(token.id)] != Kind::kHole)
      throw Error(ErrorCode::kBadInput, origin, ": added token ", quoted(token.content), " has id ", token.id,
                  ", which belongs to another token");
    put(token.id, token.special ? Kind::kSpecial : Kind::kAdded, token.content);
  }
}

std::string_view Vocabulary::spelling(TokenId id) const {
  if (id < 0 || id >= size())
    throw Error(ErrorCode::kBadInput, "token id ", id, " is outside the vocabulary, ids are 0 to ", size() - 1);
  if (is_hole(id))
    throw Error(ErrorCode::kBadInput, "token id ", id, " is not in the vocabulary: it is a hole between other ids");
  return std::string_view(spellings_).substr(begin_[index(id)], size_[index(id)]);
}

std::optional<TokenId> Vocabulary::id_of(std::string_view spelling) const {
  const auto found = by_spelling_.find(spelling);
  if (found == by_spelling_.end()) return std::nullopt;
  return found->second.id;
}

std::optional<TokenId> Vocabulary::model_id_of(std::string_view spelling) const {
  const auto found = by_spelling_.find(spelling);
  if (found == by_spelling_.end() || !found->second.in_model) return std::nullopt;
  return found->second.id;
}

std::optional<std::array<TokenId, 256>> Vocabulary::byte_tokens() const {
  std::array<TokenId, 256> tokens;
  for (int byte = 0; byte < 256; ++byte) {
    const auto id = model_id_of(spell_bytes(std::string(1, static_cast<char>(byte))));
    if (!id) return std::nullopt;
    tokens[static_cast<std::size_t>(byte)] = *id;
  }
  return tokens;
}

}  // namespace trireme::data
