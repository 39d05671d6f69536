#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "data/tokenizer/prefix_trie.h"
#include "data/tokenizer/token_model.h"

namespace trireme::data {

/// The longest token that a word begins with, then the longest that goes on with it ("##ing"), to its end; the token
/// for the unknown where that does not work out, or the word is too long.
///
/// Source: Schuster and Nakajima 2012; Devlin et al. 2018, arXiv:1810.04805.
class WordPiece final : public TokenModel {
 public:
  WordPiece(const JsonReader& reader, const nlohmann::json& model, const Vocabulary& vocabulary);
  void encode(std::string_view piece, std::vector<TokenId>& ids, std::vector<TextSpan>* spans,
              Scratch& scratch) const override;

 private:
  PrefixTrie trie_;
  std::uint32_t inside_;  // node of the prefix of what goes on
  std::optional<TokenId> unknown_;
  std::int64_t most_characters_;
};

/// A token a word.
class WordLevel final : public TokenModel {
 public:
  WordLevel(const JsonReader& reader, const nlohmann::json& model, const Vocabulary& vocabulary);
  void encode(std::string_view piece, std::vector<TokenId>& ids, std::vector<TextSpan>* spans,
              Scratch& scratch) const override;

 private:
  const Vocabulary& vocabulary_;
  std::optional<TokenId> unknown_;
};

}  // namespace trireme::data
