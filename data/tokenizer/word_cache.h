#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "data/tokenizer/tokenizer.h"

namespace trireme::data {

/// Pieces that were merged before and their ids: text repeats its words, and a look-up is some thirty times as fast as
/// merging. Of fixed size: a new piece takes the place of an older one. Not for several threads at once.
///
/// @tparam kKeyBytes  longest piece that fits, 8 * n - 2
/// @tparam kIds       most ids that fit
template <std::size_t kKeyBytes, std::size_t kIds>
class WordCache {
 public:
  static_assert(kKeyBytes % 8 == 6);

  explicit WordCache(std::size_t slots) : slots_(slots), mask_(slots - kWays) {}  // a power of two

  using Words = std::array<std::uint64_t, (kKeyBytes + 2) / 8>;

  /// A piece and where it would be.
  struct Key {
    Words words;
    std::size_t set;
  };

  static bool fits(std::string_view piece) { return piece.size() <= kKeyBytes; }

  /// @param readable  bytes of memory from the begin of `piece` that may be read, at least its size
  Key key(std::string_view piece, std::size_t readable) const {
    Key key{};
    const std::size_t whole = piece.size() / 8, rest = piece.size() % 8;
    for (std::size_t i = 0; i < whole; ++i) std::memcpy(&key.words[i], piece.data() + i * 8, 8);
    if (rest > 0) {
      if (whole * 8 + 8 <= readable) {  // one load and a mask: memcpy of a variable size is a call
        std::memcpy(&key.words[whole], piece.data() + whole * 8, 8);
        key.words[whole] &= (std::uint64_t{1} << rest * 8) - 1;
      } else {
        std::memcpy(&key.words[whole], piece.data() + whole * 8, rest);
      }
    }
    key.words.back() |= std::uint64_t{piece.size()} << 48;
    std::uint64_t hash = 0x9E3779B97F4A7C15u;
    for (const std::uint64_t word : key.words) {
      const unsigned __int128 product = static_cast<unsigned __int128>(word ^ hash) * 0xD6E8FEB86659FD93u;
      hash = static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
    }
    key.set = hash & mask_;
    return key;
  }

  /// The ids; empty when the piece is not there.
  std::span<const TokenId> find(const Key& key) const {
    for (std::size_t way = 0; way < kWays; ++way) {
      const Slot& slot = slots_[key.set + way];
      if (are_equal(slot.words, key.words)) return {slot.ids.data(), slot.count};
    }
    return {};
  }

  void put(const Key& key, std::span<const TokenId> ids) {
    if (ids.size() > kIds) return;
    // The newest comes first, the oldest of the set falls out.
    Slot* const set = slots_.data() + key.set;
    std::copy_backward(set, set + kWays - 1, set + kWays);
    set[0].words = key.words;
    set[0].count = static_cast<std::uint32_t>(ids.size());
    std::copy(ids.begin(), ids.end(), set[0].ids.begin());
  }

 private:
  // array's == is a call of memcmp, which took a third of encoding.
  static bool are_equal(const Words& a, const Words& b) {
    std::uint64_t different = 0;
    for (std::size_t i = 0; i < a.size(); ++i) different |= a[i] ^ b[i];
    return different == 0;
  }

  static constexpr std::size_t kWays = 4;
  struct alignas(64) Slot {
    Words words{};  // no piece is empty, so all zero is none
    std::uint32_t count = 0;
    std::array<TokenId, kIds> ids{};
  };
  std::vector<Slot> slots_;
  std::size_t mask_;
};

}  // namespace trireme::data
