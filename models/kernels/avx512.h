#pragma once
// The building blocks of the matrix kernels for AVX-512: panels and register tiles. Only sources whose functions are
// compiled for AVX-512 (see TRIREME_AVX512_BEGIN) include this.
#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <utility>

// Everything between these two is compiled for AVX-512 with bfloat16, whatever the build's own flags are. Standard
// headers are included before, so that no function of theirs is compiled for a processor that may not be there.
#ifdef __clang__
#define TRIREME_AVX512_BEGIN \
  _Pragma("clang attribute push(__attribute__((target(\"arch=x86-64-v4,avx512bf16\"))), apply_to = function)")
#define TRIREME_AVX512_END _Pragma("clang attribute pop")
#else
#define TRIREME_AVX512_BEGIN \
  _Pragma("GCC push_options") _Pragma("GCC target(\"avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma\")")
#define TRIREME_AVX512_END _Pragma("GCC pop_options")
#endif

TRIREME_AVX512_BEGIN
namespace trireme::models::avx512 {

#define TRIREME_TILE [[gnu::always_inline]] inline

/// A product's depth goes through 32-bit units: one float32, or a pair of bfloat16 that one instruction multiplies and
/// adds (a0*b0 + a1*b1 into a float32).
struct Float32 {
  using Scalar = float;
  static constexpr int kDepth = 1;  ///< elements a unit
  TRIREME_TILE static __m512 multiply_add(__m512i a, __m512i b, __m512 sum) {
    return _mm512_fmadd_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), sum);
  }
  TRIREME_TILE static __m512i load_units(const float* from, std::int64_t count) {
    return count >= 16 ? _mm512_loadu_si512(from)
                       : _mm512_maskz_loadu_epi32(static_cast<__mmask16>((1U << count) - 1), from);
  }
  /// 16 units of a depth's (or two depths') numbers.
  TRIREME_TILE static __m512i unit(const __m512 (&x)[1]) { return _mm512_castps_si512(x[0]); }
  /// 16 lanes of a row, as units of their own.
  TRIREME_TILE static __m512i load_lanes(const float* row, const float*, __mmask16 lanes) {
    return _mm512_maskz_loadu_epi32(lanes, row);
  }
};

struct Bfloat16 {
  using Scalar = std::uint16_t;
  static constexpr int kDepth = 2;
  TRIREME_TILE static __m512 multiply_add(__m512i a, __m512i b, __m512 sum) {
    return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
  }
  TRIREME_TILE static __m512i load_units(const std::uint16_t* from, std::int64_t count) {
    return count >= 32 ? _mm512_loadu_si512(from)
                       : _mm512_maskz_loadu_epi16(static_cast<__mmask32>((std::uint64_t{1} << count) - 1), from);
  }
  TRIREME_TILE static __m512i unit(const __m512 (&x)[2]) {
    return _mm512_or_si512(_mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(x[0])),
                           _mm512_slli_epi32(_mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(x[1])), 16));
  }
  /// 16 lanes of two rows that follow each other, paired; `next` is null behind the last row.
  TRIREME_TILE static __m512i load_lanes(const std::uint16_t* row, const std::uint16_t* next, __mmask16 lanes) {
    const __m512i low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes, row));
    if (!next) return low;
    return _mm512_or_si512(low, _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes, next)), 16));
  }
};

/// A mask of the first `count` of 16 lanes; count may be negative or beyond.
TRIREME_TILE __mmask16 lanes_below(std::int64_t count) {
  return static_cast<__mmask16>(count >= 16 ? 0xFFFF : count <= 0 ? 0 : (1U << count) - 1);
}

/// 16 numbers as float32, and back by round to nearest even.
TRIREME_TILE __m512 load16(const float* from, __mmask16 lanes) { return _mm512_maskz_loadu_ps(lanes, from); }
TRIREME_TILE __m512 load16(const std::uint16_t* from, __mmask16 lanes) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes, from)), 16));
}
TRIREME_TILE void store16(float* to, __mmask16 lanes, __m512 x) { _mm512_mask_storeu_ps(to, lanes, x); }
TRIREME_TILE void store16(std::uint16_t* to, __mmask16 lanes, __m512 x) {
  _mm256_mask_storeu_epi16(to, lanes, (__m256i)_mm512_cvtneps_pbh(x));
}

/// e^x, relative error below 2e-7 for x up to 88; 0 far below. What is no number stays none.
TRIREME_TILE __m512 exponential16(__m512 x) {
  x = _mm512_max_ps(_mm512_set1_ps(-104.0F), x);  // of which the second is what a NaN gives
  const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504088896341F)),
                                        _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375F), x);
  r = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4F), r);
  __m512 p = _mm512_set1_ps(1.9875691500e-4F);  // Cephes' expf
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.3981999507e-3F));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(8.3334519073e-3F));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(4.1665795894e-2F));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.6666665459e-1F));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(5.0000001201e-1F));
  p = _mm512_fmadd_ps(p, _mm512_mul_ps(r, r), _mm512_add_ps(r, _mm512_set1_ps(1.0F)));
  return _mm512_scalef_ps(p, n);
}

constexpr int kRows =
    12;  ///< rows of a register tile: 12 x 2 sums, two columns' vectors and a broadcast fit 32 registers
constexpr int kColumns = 32;  ///< columns of one: two vectors

TRIREME_TILE void transpose16(__m512i (&r)[16]) {
  __m512i t[16];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    r[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
    r[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
    r[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
    r[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    t[i] = _mm512_shuffle_i32x4(r[i], r[4 + i], 0x88);
    t[4 + i] = _mm512_shuffle_i32x4(r[i], r[4 + i], 0xdd);
    t[8 + i] = _mm512_shuffle_i32x4(r[8 + i], r[12 + i], 0x88);
    t[12 + i] = _mm512_shuffle_i32x4(r[8 + i], r[12 + i], 0xdd);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    r[i] = _mm512_shuffle_i32x4(t[i], t[8 + i], 0x88);
    r[4 + i] = _mm512_shuffle_i32x4(t[4 + i], t[12 + i], 0x88);
    r[8 + i] = _mm512_shuffle_i32x4(t[i], t[8 + i], 0xdd);
    r[12 + i] = _mm512_shuffle_i32x4(t[4 + i], t[12 + i], 0xdd);
  }
}

/// Units that a depth takes, the last of which may be in part beyond it.
template <class Kind>
TRIREME_TILE std::int64_t units_of(std::int64_t depth) {
  return (depth + Kind::kDepth - 1) / Kind::kDepth;
}

/// 32-bit units from one panel of a matrix to the next. The line between keeps what is read and written at the same
/// depth of many panels apart in the first cache, whose sets repeat every 4 KiB.
TRIREME_TILE std::int64_t panel_pitch(std::int64_t units, std::int64_t lanes) { return units * lanes + 16; }

/// Packs `lanes` rows (or columns) into panels of kLanes of them, `pitch` units from one to the next. A panel is
/// [units][kLanes]: what a tile reads side by side for each unit of depth, zeros where there is no lane.
/// @param deep    whether elements of a lane lie side by side in memory (else elements of a depth do)
/// @param stride  elements between lanes (deep) or between depths
template <class Kind, int kLanes>
TRIREME_TILE void pack(const typename Kind::Scalar* from, std::int64_t stride, bool deep, std::int64_t lanes,
                       std::int64_t depth, std::uint32_t* out, std::int64_t pitch) {
  const std::int64_t units = units_of<Kind>(depth);
  if (!deep) {
    // Stretches of memory are read from end to end: whole rows of most matrices.
    constexpr std::int64_t kTogether = 512 / kLanes * kLanes;
    for (std::int64_t begin = 0; begin < lanes; begin += kTogether) {
      const std::int64_t end = begin + kTogether < lanes ? begin + kTogether : lanes;
      for (std::int64_t unit = 0; unit < units; ++unit) {
        const auto* row = from + unit * Kind::kDepth * stride;
        const auto* next = (unit + 1) * Kind::kDepth <= depth ? row + stride : nullptr;
        std::uint32_t* to = out + begin / kLanes * pitch + unit * kLanes;
        for (std::int64_t panel = begin; panel < end; panel += kLanes, to += pitch)
          for (int first = 0; first < kLanes; first += 16) {
            const std::int64_t lane = panel + first;
            const __mmask16 read = lanes_below(end - lane), width = lanes_below(kLanes - first);
            _mm512_mask_storeu_epi32(to + first, width,
                                     Kind::load_lanes(row + lane, next ? next + lane : nullptr, read & width));
          }
      }
    }
    return;
  }
  for (std::int64_t panel = 0; panel < lanes; panel += kLanes)
    for (int first = 0; first < kLanes; first += 16) {
      const std::int64_t here = lanes - panel - first;
      const __mmask16 width = lanes_below(kLanes - first);
      for (std::int64_t unit = 0; unit < units; unit += 16) {
        __m512i r[16];
        const auto* corner = from + (panel + first) * stride + unit * Kind::kDepth;
        const std::int64_t left = depth - unit * Kind::kDepth;
#pragma GCC unroll 16
        for (int lane = 0; lane < 16; ++lane)
          r[lane] = lane < here && (width >> lane & 1) ? Kind::load_units(corner + lane * stride, left)
                                                       : _mm512_setzero_si512();
        transpose16(r);
        std::uint32_t* to = out + panel / kLanes * pitch + unit * kLanes + first;
        const std::int64_t count = units - unit;
#pragma GCC unroll 16
        for (int i = 0; i < 16; ++i)
          if (i < count) _mm512_mask_storeu_epi32(to + i * kLanes, width, r[i]);
      }
    }
}

/// Panels without a gap.
template <class Kind, int kLanes>
TRIREME_TILE void pack(const typename Kind::Scalar* from, std::int64_t stride, bool deep, std::int64_t lanes,
                       std::int64_t depth, std::uint32_t* out) {
  pack<Kind, kLanes>(from, stride, deep, lanes, depth, out, units_of<Kind>(depth) * kLanes);
}

/// Rows of a tile's left side as `pack` left them: [units][12].
struct PackedRows {
  const std::uint32_t* at;
};

/// Rows of a tile's left side as they lie in memory, units side by side.
struct RowsInPlace {
  const void* at;
  std::size_t stride;  ///< bytes between rows
};

/// One unit's part of multiply_panels.
template <class Kind, int kTileRows>
TRIREME_TILE void multiply_unit(const auto& unit_of_row, const std::uint32_t* b, __m512 (&sums)[kTileRows][2]) {
  const __m512i b0 = _mm512_loadu_si512(b), b1 = _mm512_loadu_si512(b + 16);
  // Panels are read once from the second cache or farther away; the processor's own prefetch ends at each page.
  _mm_prefetch(reinterpret_cast<const char*>(b + 16 * kColumns), _MM_HINT_T0);
  _mm_prefetch(reinterpret_cast<const char*>(b + 16 * kColumns + 16), _MM_HINT_T0);
#pragma GCC unroll 12
  for (int row = 0; row < kTileRows; ++row) {
    const __m512i broadcast = _mm512_set1_epi32(unit_of_row(row));
    sums[row][0] = Kind::multiply_add(broadcast, b0, sums[row][0]);
    sums[row][1] = Kind::multiply_add(broadcast, b1, sums[row][1]);
  }
}

/// sums[r][v] += over all units: a[unit][r] * b[unit][16 v ..]. One sum an element over the whole depth, in its order:
/// the bits of an element depend on its own row and column alone.
template <class Kind, int kTileRows>
TRIREME_TILE void multiply_panels(PackedRows a, const std::uint32_t* b, std::int64_t units,
                                  __m512 (&sums)[kTileRows][2]) {
  for (std::int64_t unit = 0; unit < units; ++unit, a.at += kRows, b += kColumns)
    multiply_unit<Kind>([&](int row) __attribute__((always_inline)) { return static_cast<int>(a.at[row]); }, b, sums);
}
template <class Kind, int kTileRows>
TRIREME_TILE void multiply_panels(RowsInPlace a, const std::uint32_t* b, std::int64_t units,
                                  __m512 (&sums)[kTileRows][2]) {
  // Three rows a register: one, and one or two strides behind it, are addresses that an instruction can hold.
  const char* group[(kTileRows + 2) / 3];
#pragma GCC unroll 4
  for (std::size_t i = 0; i < (kTileRows + 2) / 3; ++i) group[i] = static_cast<const char*>(a.at) + 3 * i * a.stride;
  const auto unit_of_row = [&](int row) __attribute__((always_inline)) {
    int bits;
    __builtin_memcpy(&bits, group[row / 3] + static_cast<std::size_t>(row % 3) * a.stride, sizeof(bits));
    return bits;
  };
  for (std::int64_t unit = 0; unit < units; ++unit, b += kColumns) {
    multiply_unit<Kind>(unit_of_row, b, sums);
#pragma GCC unroll 4
    for (int i = 0; i < (kTileRows + 2) / 3; ++i) group[i] += sizeof(int);
  }
}

/// Calls take(row, first, second) with the two vectors of each of a tile's `rows` rows.
/// @param a  PackedRows or RowsInPlace
template <class Kind, class Left, class Take>
TRIREME_TILE void for_tile(Left a, const std::uint32_t* b, std::int64_t units, int rows, const Take& take) {
  const auto run = [&]<int kTileRows>() __attribute__((always_inline)) {
    __m512 sums[kTileRows][2];
#pragma GCC unroll 12
    for (int row = 0; row < kTileRows; ++row) sums[row][0] = sums[row][1] = _mm512_setzero_ps();
    multiply_panels<Kind, kTileRows>(a, b, units, sums);
    // What `take` reads from memory is read after the sums are done: held in registers meanwhile, it would drive sums
    // out of theirs.
    asm volatile("" ::: "memory");
#pragma GCC unroll 12
    for (int row = 0; row < kTileRows; ++row) take(row, sums[row][0], sums[row][1]);
  };
  // A tile for each number of rows, whole ones first.
  [&]<int... kMissing>(std::integer_sequence<int, kMissing...>) __attribute__((always_inline)) {
    (void)((rows == kRows - kMissing && (run.template operator()<kRows - kMissing>(), true)) || ...);
  }(std::make_integer_sequence<int, kRows>{});
}

}  // namespace trireme::models::avx512
TRIREME_AVX512_END
