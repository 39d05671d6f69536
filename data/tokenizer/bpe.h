#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizer/token_model.h"

namespace trireme::data {

/// Byte-pair encoding: while a piece holds a pair that has a merge, the most urgent one is replaced by its result,
/// leftmost first. O(n log n) for any piece, also for megabytes without a space.
///
/// Source: Sennrich et al. 2016, arXiv:1508.07909, section 3.2. With SentencePiece's byte fallback, tokens for what is
/// unknown, and marks at the begin and end of words, as PyPI's tokenizers have them.
class Bpe final : public TokenModel {
 public:
  /// @throws Error kBadInput  a part or result of a merge that is no token, or a merge twice
  Bpe(const JsonReader& reader, const nlohmann::json& model, const Vocabulary& vocabulary, bool as_bytes);

  void encode(std::string_view piece, std::vector<TokenId>& ids, std::vector<TextSpan>* spans,
              Scratch& scratch) const override;
  std::size_t first_part(std::string_view piece) const override;

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};  // as a rank: no merge; as a position: no neighbour
  /// Up to here a scan for the best pair beats a heap (the heap has a cost for each entry, the scan none).
  static constexpr std::size_t kShort = 64;

  struct Slot {
    TokenId left = -1, right = -1;
    std::uint32_t rank = kNone;
  };
  bool begins_words_with_mark() const;
  void read_merges(const JsonReader& reader, const nlohmann::json& model);
  std::size_t home(TokenId left, TokenId right) const;
  std::uint32_t rank_of(TokenId left, TokenId right) const;
  std::optional<TokenId> whole(std::string_view piece) const;
  void encode_bytes(std::string_view piece, std::vector<TokenId>& ids) const;
  void split_characters(std::string_view piece, Scratch& scratch) const;
  void merge(Scratch& scratch, std::vector<TokenId>& ids, std::vector<TextSpan>* spans) const;

  const Vocabulary& vocabulary_;
  std::optional<std::array<TokenId, 256>> byte_tokens_;  // pieces are bytes
  std::array<TokenId, 256> fallback_{};                  // of "<0x00>" and so on
  bool has_fallback_, fuses_unknown_, ignores_merges_;
  std::string prefix_, suffix_;  // of what goes on with a word, and of its end
  std::optional<TokenId> unknown_;
  bool needs_unknown_ = false;            // model.unk_token names what is no token
  bool has_words_ = false;                // see first_part
  std::vector<std::uint32_t> byte_rank_;  // of a pair of bytes, first * 256 + second
  std::vector<TokenId> result_;           // by rank
  std::vector<Slot> slots_;               // open addressing, at most half full
  std::uint64_t seed_;
  int shift_ = 0;
};

}  // namespace trireme::data
