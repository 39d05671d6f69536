#pragma once
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "data/tokenizer/prefix_trie.h"
#include "data/tokenizer/token_model.h"

namespace trireme::data {

/// The tokens whose scores add up to the most, found by dynamic programming from left to right; of equals, what was
/// found first, which is the path with the longer last token.
///
/// Source: Kudo 2018, arXiv:1804.10959; SentencePiece's encoder of one best path.
class Unigram final : public TokenModel {
 public:
  Unigram(const JsonReader& reader, const nlohmann::json& model, const Vocabulary& vocabulary);
  static Tokens read_tokens(const JsonReader& reader, const nlohmann::json& model);

  void encode(std::string_view piece, std::vector<TokenId>& ids, std::vector<TextSpan>* spans,
              Scratch& scratch) const override;
  std::optional<TokenId> unknown_as_it_is() const override { return unknown_; }

 private:
  const Vocabulary& vocabulary_;
  PrefixTrie trie_;
  std::vector<double> scores_;  // by id
  double unknown_score_ = 0;
  std::optional<TokenId> unknown_;
  bool has_fallback_;
  std::array<TokenId, 256> fallback_{};
};

}  // namespace trireme::data
