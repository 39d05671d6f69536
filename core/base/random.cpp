#include "core/base/random.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/base/clones.h"
#include "core/base/hash.h"

namespace trireme {
namespace {

// Blocks of four numbers worked on side by side, so that the compiler turns each loop over them into vector code.
constexpr std::size_t kBlocks = 32;

inline float log_positive(float x) {
  // Cephes logf: x = m * 2^e with m in [sqrt(1/2), sqrt(2)), then a polynomial in m - 1.
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t shifted = bits - 0x3F3504F3u;
  const auto exponent = static_cast<float>(static_cast<std::int32_t>(shifted) >> 23);
  const float m = std::bit_cast<float>((shifted & 0x007FFFFFu) + 0x3F3504F3u) - 1.0f;
  const float square = m * m;
  float p = 7.0376836292e-2f;
  p = p * m - 1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m - 1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m - 1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m - 2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  return ((p * m * square - 2.12194440e-4f * exponent) - 0.5f * square + m) + 0.693359375f * exponent;
}

// philox4x32 on columns: the four words of each counter, in place.
[[gnu::always_inline]] inline void philox_blocks(std::uint32_t (&c0)[kBlocks], std::uint32_t (&c1)[kBlocks],
                                                 std::uint32_t (&c2)[kBlocks], std::uint32_t (&c3)[kBlocks],
                                                 std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    for (std::size_t i = 0; i < kBlocks; ++i) {
      const std::uint64_t product0 = std::uint64_t{0xD2511F53} * c0[i];
      const std::uint64_t product1 = std::uint64_t{0xCD9E8D57} * c2[i];
      c0[i] = static_cast<std::uint32_t>(product1 >> 32) ^ c1[i] ^ key[0];
      c1[i] = static_cast<std::uint32_t>(product1);
      c2[i] = static_cast<std::uint32_t>(product0 >> 32) ^ c3[i] ^ key[1];
      c3[i] = static_cast<std::uint32_t>(product0);
    }
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
}

TRIREME_CLONES void normal_blocks(float* out, std::uint64_t first_block, std::array<std::uint32_t, 2> key,
                                  float scale) {
  std::uint32_t c0[kBlocks], c1[kBlocks], c2[kBlocks], c3[kBlocks];
  for (std::size_t i = 0; i < kBlocks; ++i) {
    const std::uint64_t block = first_block + i;
    c0[i] = static_cast<std::uint32_t>(block);
    c1[i] = static_cast<std::uint32_t>(block >> 32);
    c2[i] = 0;
    c3[i] = 0x6E6F726Du;  // apart from bits(), whose lanes are small
  }
  philox_blocks(c0, c1, c2, c3, key);
  const auto pair = [&](const std::uint32_t* radius_bits, const std::uint32_t* angle_bits, std::size_t position) {
    for (std::size_t i = 0; i < kBlocks; ++i) {
      const float u = static_cast<float>(static_cast<std::int32_t>((radius_bits[i] >> 8) + 1)) * 0x1p-24f;  // (0, 1]
      const float turn = static_cast<float>(static_cast<std::int32_t>(angle_bits[i] >> 8)) * 0x1p-24f;      // [0, 1)
      // The nearest quarter turn and what is left of it, in [-pi/4, pi/4]; both steps are exact.
      const auto quarter = static_cast<std::int32_t>(turn * 4.0f + 0.5f);
      const float x = (turn - static_cast<float>(quarter) * 0.25f) * 6.283185307f;
      const float xx = x * x;
      const float sine = ((-1.9515295891e-4f * xx + 8.3321608736e-3f) * xx - 1.6666654611e-1f) * xx * x + x;
      const float cosine =
          ((2.443315711809948e-5f * xx - 1.388731625493765e-3f) * xx + 4.166664568298827e-2f) * xx * xx - 0.5f * xx +
          1.0f;
      const bool swap = quarter & 1;
      const float s = swap ? cosine : sine, c = swap ? sine : cosine;
      const float radius = std::sqrt(-2.0f * log_positive(u)) * scale;
      out[4 * i + position] = radius * ((quarter + 1) & 2 ? -c : c);
      out[4 * i + position + 1] = radius * (quarter & 2 ? -s : s);
    }
  };
  pair(c0, c1, 0);
  pair(c2, c3, 2);
}

// The 4 * kBlocks words of counters (first_block + i, place): first all first words, then all second ones, ...
TRIREME_CLONES void bit_blocks(std::uint32_t* out, std::uint32_t first_block, std::array<std::uint32_t, 3> place,
                               std::array<std::uint32_t, 2> key) {
  std::uint32_t c0[kBlocks], c1[kBlocks], c2[kBlocks], c3[kBlocks];
  for (std::size_t i = 0; i < kBlocks; ++i) {
    c0[i] = first_block + static_cast<std::uint32_t>(i);
    c1[i] = place[0];
    c2[i] = place[1];
    c3[i] = place[2];
  }
  philox_blocks(c0, c1, c2, c3, key);
  std::copy_n(c0, kBlocks, out);
  std::copy_n(c1, kBlocks, out + kBlocks);
  std::copy_n(c2, kBlocks, out + 2 * kBlocks);
  std::copy_n(c3, kBlocks, out + 3 * kBlocks);
}

}  // namespace

RandomStream::RandomStream(std::uint64_t seed, std::string_view name) {
  // The seed goes through the hash as well: streams of seeds 1 and 2 share nothing.
  const std::uint64_t parts[2] = {seed, xxh3_64(name)};
  const std::uint64_t key = xxh3_64(parts, sizeof parts);
  key_ = {static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)};
}

void RandomStream::fill_normal(float* out, std::uint64_t begin, std::uint64_t count, float scale) const {
  constexpr std::uint64_t kChunk = 4 * kBlocks;
  float chunk[kChunk];
  const std::uint64_t end = begin + count;
  while (begin < end) {
    const std::uint64_t chunk_begin = begin / kChunk * kChunk;
    const std::uint64_t take = std::min(end, chunk_begin + kChunk) - begin;
    if (take == kChunk) {
      normal_blocks(out, chunk_begin / 4, key_, scale);
    } else {
      normal_blocks(chunk, chunk_begin / 4, key_, scale);
      std::copy_n(chunk + (begin - chunk_begin), take, out);
    }
    out += take;
    begin += take;
  }
}

void RandomStream::fill_bits(std::uint32_t* out, std::uint64_t count, std::array<std::uint32_t, 3> place) const {
  constexpr std::uint64_t kChunk = 4 * kBlocks;
  std::uint64_t done = 0;
  for (; done + kChunk <= count; done += kChunk)
    bit_blocks(out + done, static_cast<std::uint32_t>(done / 4), place, key_);
  if (done == count) return;
  std::uint32_t chunk[kChunk];
  bit_blocks(chunk, static_cast<std::uint32_t>(done / 4), place, key_);
  std::copy_n(chunk, count - done, out + done);
}

}  // namespace trireme
