#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/base/hash.h"
#include "data/tokenizer/tokenizer_json.h"

namespace trireme::data {

/// For look-ups by text that comes from a file: the standard library's hash has a fixed seed and is easy to collide.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return xxh3_64(text); }
};

/// Tokens by id and by spelling: what of a tokenizer.json is a table.
class Vocabulary {
 public:
  /// @param tokens  of the model; of one spelling, the last counts
  /// @throws Error kBadInput  an id twice, an added token that contradicts model.vocab
  Vocabulary(const std::vector<std::pair<std::string, TokenId>>& tokens, const std::vector<AddedToken>& added,
             const std::string& origin);

  /// The largest id plus one.
  std::int64_t size() const { return static_cast<std::int64_t>(kind_.size()); }
  /// As the file spells it: "Ġthe", not " the". @throws Error kBadInput for an id that is out of range or a hole
  std::string_view spelling(TokenId id) const;
  bool is_special(TokenId id) const { return id >= 0 && id < size() && kind_[index(id)] == Kind::kSpecial; }
  bool is_added(TokenId id) const { return id >= 0 && id < size() && kind_[index(id)] >= Kind::kAdded; }
  bool is_hole(TokenId id) const { return id < 0 || id >= size() || kind_[index(id)] == Kind::kHole; }
  std::optional<TokenId> id_of(std::string_view spelling) const;
  /// The same among the tokens of model.vocab alone, which texts are made of.
  std::optional<TokenId> model_id_of(std::string_view spelling) const;
  /// The token of each byte in the byte alphabet; none unless all are there.
  std::optional<std::array<TokenId, 256>> byte_tokens() const;

 private:
  enum class Kind : std::uint8_t { kHole, kPlain, kAdded, kSpecial };
  struct Known {
    TokenId id;
    bool in_model;
  };
  static std::size_t index(TokenId id) { return static_cast<std::size_t>(id); }

  std::vector<Kind> kind_;
  std::vector<std::uint32_t> begin_, size_;  // of a token's spelling in spellings_
  std::string spellings_;
  std::unordered_map<std::string, Known, TextHash, std::equal_to<>> by_spelling_;
};

}  // namespace trireme::data
