#pragma once
#include <c10/util/BFloat16.h>

#include <bit>
#include <cmath>
#include <cstdint>

/// Scalar functions that a compiler can turn into vector code inside a loop. Written without fused operations, so every
/// instruction set gives the same bits.
namespace trireme::models {

/// e^x by the polynomial of Cephes' expf, relative error below 2e-7; 0 below -87, huge above 88.
[[gnu::always_inline]] inline float exponential(float x) {
  x = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
  // x = n ln 2 + r. Adding 1.5 * 2^23 rounds to an integer without a conversion.
  const float magic = 12582912.0f;
  const float shifted = x * 1.44269504088896341f + magic;
  const float n = shifted - magic;
  const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  const std::uint32_t power = (std::bit_cast<std::uint32_t>(shifted) - 0x4B400000u + 127u) << 23;
  return p * std::bit_cast<float>(power);
}
inline double exponential(double x) { return std::exp(x); }

/// Loads widen bfloat16 to float, stores round to nearest even: what is computed between is float32.
[[gnu::always_inline]] inline float load(const float* x) { return *x; }
[[gnu::always_inline]] inline double load(const double* x) { return *x; }
[[gnu::always_inline]] inline float load(const c10::BFloat16* x) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(x->x) << 16);
}
[[gnu::always_inline]] inline void store(float* out, float x) { *out = x; }
[[gnu::always_inline]] inline void store(double* out, double x) { *out = x; }
[[gnu::always_inline]] inline void store(c10::BFloat16* out, float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t rounded = (bits + 0x7FFFu + ((bits >> 16) & 1)) >> 16;
  out->x = static_cast<std::uint16_t>((bits & 0x7FFFFFFFu) > 0x7F800000u ? 0x7FC0u : rounded);
}

/// The type that a row of T is computed in.
template <class T>
struct Math {
  using type = float;
};
template <>
struct Math<double> {
  using type = double;
};
template <class T>
using math_t = typename Math<T>::type;

/// Sums of rows go through 16 lanes, added pairwise at the end: an order of its own, the same on every instruction set.
template <class M>
struct Lanes {
  static constexpr int kCount = 16;
  M lane[kCount] = {};
  [[gnu::always_inline]] M sum() {
    for (int width = kCount / 2; width > 0; width /= 2)
      for (int i = 0; i < width; ++i) lane[i] += lane[i + width];
    return lane[0];
  }
};

}  // namespace trireme::models
