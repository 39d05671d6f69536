#pragma once
#include <array>
#include <cstdint>
#include <string_view>

namespace trireme {

/// Counter-based random numbers: Philox4x32-10. A number is a pure function of (key, counter), so there is no state to
/// ship, any rank can compute any element, and a run does not depend on how work is split.
///
/// Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", SC'11; the constants are the paper's.
constexpr std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                                  std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(product0)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

/// What a stream of random numbers is for: the run's seed and a name ("weights/blocks.0.attention.query"). Streams with
/// other names are independent.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, std::string_view name);

  /// 64 random bits for element `index`; `lane` tells up to 2^64 independent draws an element apart.
  std::uint64_t bits(std::uint64_t index, std::uint64_t lane = 0) const {
    const auto words = philox4x32({static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
                                   static_cast<std::uint32_t>(lane), static_cast<std::uint32_t>(lane >> 32)},
                                  key_);
    return std::uint64_t{words[1]} << 32 | words[0];
  }

  /// Uniform in [0, 1), 53 bits.
  double uniform(std::uint64_t index, std::uint64_t lane = 0) const {
    return static_cast<double>(bits(index, lane) >> 11) * 0x1p-53;
  }

  /// Elements [begin, begin + count) of an endless row of standard normal numbers, times `scale`. Box-Muller on float32
  /// polynomials of our own: the same bits on every instruction set, and independent of how the row is cut.
  void fill_normal(float* out, std::uint64_t begin, std::uint64_t count, float scale) const;

  /// The first `count` of a row of random words, at most 2^34; `place` tells 2^96 independent rows of a stream apart.
  void fill_bits(std::uint32_t* out, std::uint64_t count, std::array<std::uint32_t, 3> place) const;

 private:
  std::array<std::uint32_t, 2> key_;
};

}  // namespace trireme
