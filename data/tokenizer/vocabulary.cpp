#include "data/tokenizer/vocabulary.h"

#include <algorithm>
#include <cstdio>

#include "core/base/error.h"
#include "data/tokenizer/byte_alphabet.h"

namespace trireme::data {

Vocabulary::Vocabulary(const TokenizerSpec& spec, const std::string& origin) {
  TokenId last = -1;
  for (const auto& [token, id] : spec.vocabulary) last = std::max(last, id);
  for (const AddedToken& token : spec.added) last = std::max(last, token.id);
  kind_.resize(index(last + 1), Kind::kHole);
  begin_.resize(kind_.size());
  size_.resize(kind_.size());

  const auto put = [&](TokenId id, Kind kind, std::string_view bytes) {
    kind_[index(id)] = kind;
    begin_[index(id)] = static_cast<std::uint32_t>(bytes_.size());  // the file is far below 4 GiB
    size_[index(id)] = static_cast<std::uint32_t>(bytes.size());
    bytes_ += bytes;
  };

  by_spelling_.reserve(spec.vocabulary.size() + spec.added.size());
  for (const auto& [token, id] : spec.vocabulary) {
    if (kind_[index(id)] != Kind::kHole)
      throw Error(ErrorCode::kBadInput, origin, ": model.vocab gives id ", id, " twice, to ", quoted(token), " and to ",
                  quoted(spell_bytes(bytes(id))));
    // A token outside the byte alphabet can come out of a model, and then stands for its own text.
    put(id, Kind::kPlain, unspell_bytes(token).value_or(token));
    by_spelling_.emplace(token, Known{id, true});
  }
  for (int byte = 0; byte < 256; ++byte) {
    const std::string spelling = spell_bytes(std::string(1, static_cast<char>(byte)));
    const auto found = by_spelling_.find(spelling);
    if (found == by_spelling_.end()) {
      char hex[8];
      std::snprintf(hex, sizeof hex, "0x%02X", byte);
      throw Error(ErrorCode::kBadInput, origin, ": model.vocab has no token for the byte ", hex, ", spelled ",
                  quoted(spelling), "; all 256 must be there, else some text has no ids");
    }
    byte_tokens_[static_cast<std::size_t>(byte)] = found->second.id;
  }

  for (const AddedToken& token : spec.added) {
    const auto [known, is_new] = by_spelling_.emplace(token.content, Known{token.id, false});
    if (known->second.id != token.id)
      throw Error(ErrorCode::kBadInput, origin, ": added token ", quoted(token.content), " has id ", token.id,
                  ", but elsewhere id ", known->second.id);
    if (is_new && kind_[index(token.id)] != Kind::kHole)
      throw Error(ErrorCode::kBadInput, origin, ": added token ", quoted(token.content), " has id ", token.id,
                  ", which belongs to another token");
    put(token.id, token.special ? Kind::kSpecial : Kind::kPlain, token.content);
  }
}

std::string_view Vocabulary::bytes(TokenId id) const {
  if (id < 0 || id >= size())
    throw Error(ErrorCode::kBadInput, "token id ", id, " is outside the vocabulary, ids are 0 to ", size() - 1);
  if (kind_[index(id)] == Kind::kHole)
    throw Error(ErrorCode::kBadInput, "token id ", id, " is not in the vocabulary: it is a hole between other ids");
  return std::string_view(bytes_).substr(begin_[index(id)], size_[index(id)]);
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

}  // namespace trireme::data
