#pragma once
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "data/tokenizer/vocabulary.h"

namespace trireme::data {

/// The merges of byte-pair encoding: while a piece holds a pair that has a merge, the most urgent one is replaced by
/// its result, leftmost first.
///
/// Source: Sennrich et al. 2016, arXiv:1508.07909, section 3.2.
class MergeTable {
 public:
  /// @throws Error kBadInput  a part or result that is no token, or a merge twice
  MergeTable(const TokenizerSpec& spec, const Vocabulary& vocabulary, const std::string& origin);

  /// Memory that merging needs, kept from piece to piece.
  struct Scratch {
    std::vector<TokenId> ids;
    std::vector<std::uint32_t> rank, next, previous;
    std::vector<std::uint64_t> heap;
  };

  /// Appends the tokens of a piece. O(n log n) for any piece, also for megabytes without a space.
  /// @throws Error kBadInput  the piece has 4 GiB or more
  void encode(std::string_view piece, std::vector<TokenId>& ids, Scratch& scratch) const;

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};  // as a rank: no merge; as a position: no neighbour
  /// Up to here a scan for the best pair beats a heap (the heap has a cost for each entry, the scan none).
  static constexpr std::size_t kShort = 64;

  struct Slot {
    TokenId left = -1, right = -1;
    std::uint32_t rank = kNone;
  };
  std::size_t home(TokenId left, TokenId right) const;
  std::uint32_t rank_of(TokenId left, TokenId right) const;
  void encode_short(std::string_view piece, std::vector<TokenId>& ids) const;
  void encode_long(std::string_view piece, std::vector<TokenId>& ids, Scratch& scratch) const;

  std::array<TokenId, 256> byte_tokens_;
  std::vector<std::uint32_t> byte_rank_;  // of a pair of bytes, first * 256 + second
  std::vector<TokenId> result_;           // by rank
  std::vector<Slot> slots_;               // open addressing, at most half full
  std::uint64_t seed_;
  int shift_ = 0;
};

}  // namespace trireme::data
