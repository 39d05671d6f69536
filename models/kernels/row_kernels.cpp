#include "models/kernels/row_kernels.h"

#include <algorithm>
#include <cmath>

#include "core/base/clones.h"
#include "models/kernels/vector_math.h"

namespace trireme::models {
namespace {

#define TRIREME_INLINE [[gnu::always_inline]] inline

template <class T, class M = math_t<T>>
TRIREME_INLINE void rms_norm_forward_body(const T* x, const T* weight, double epsilon, std::int64_t rows,
                                          std::int64_t width, T* __restrict y, M* inverse_rms) {
  for (std::int64_t row = 0; row < rows; ++row, x += width, y += width) {
    Lanes<M> squares;
    std::int64_t i = 0;
    for (; i + Lanes<M>::kCount <= width; i += Lanes<M>::kCount)
      for (int k = 0; k < Lanes<M>::kCount; ++k) squares.lane[k] += load(x + i + k) * load(x + i + k);
    for (int k = 0; i + k < width; ++k) squares.lane[k] += load(x + i + k) * load(x + i + k);
    const M inverse = 1 / std::sqrt(squares.sum() / static_cast<M>(width) + static_cast<M>(epsilon));
    inverse_rms[row] = inverse;
    for (std::int64_t c = 0; c < width; ++c) store(y + c, load(x + c) * inverse * load(weight + c));
  }
}

template <class T, class M = math_t<T>>
TRIREME_INLINE void rms_norm_backward_body(const T* dy, const T* x, const T* weight, const M* inverse_rms,
                                           std::int64_t rows, std::int64_t width, T* __restrict dx,
                                           M* __restrict weight_gradient) {
  for (std::int64_t row = 0; row < rows; ++row, x += width, dy += width, dx += width) {
    const M inverse = inverse_rms[row];
    Lanes<M> dots;
    std::int64_t i = 0;
    const auto dot = [&](std::int64_t c) __attribute__((always_inline)) {
      return load(dy + c) * load(weight + c) * (load(x + c) * inverse);
    };
    for (; i + Lanes<M>::kCount <= width; i += Lanes<M>::kCount)
      for (int k = 0; k < Lanes<M>::kCount; ++k) dots.lane[k] += dot(i + k);
    for (int k = 0; i + k < width; ++k) dots.lane[k] += dot(i + k);
    const M mean = dots.sum() / static_cast<M>(width);
    for (std::int64_t c = 0; c < width; ++c) {
      const M scaled = load(x + c) * inverse;
      store(dx + c, inverse * (load(dy + c) * load(weight + c) - scaled * mean));
      weight_gradient[c] += load(dy + c) * scaled;
    }
  }
}

template <class T, class M = math_t<T>>
TRIREME_INLINE void rotate_rows_body(const T* x, const M* cosine, const M* sine, M direction, std::int64_t positions,
                                     std::int64_t heads, std::int64_t width, T* __restrict y) {
  const std::int64_t half = width / 2;
  for (std::int64_t position = 0; position < positions; ++position, cosine += half, sine += half)
    for (std::int64_t head = 0; head < heads; ++head, x += width, y += width)
      for (std::int64_t i = 0; i < half; ++i) {
        const M a = load(x + i), b = load(x + half + i), s = direction * sine[i];
        store(y + i, a * cosine[i] - b * s);
        store(y + half + i, b * cosine[i] + a * s);
      }
}

template <class T, class M = math_t<T>>
TRIREME_INLINE void swiglu_forward_body(const T* gate, const T* up, std::int64_t count, T* __restrict y) {
  for (std::int64_t i = 0; i < count; ++i) {
    const M g = load(gate + i);
    store(y + i, g / (1 + exponential(-g)) * load(up + i));
  }
}

template <class T, class M = math_t<T>>
TRIREME_INLINE void swiglu_backward_body(const T* dy, const T* gate, const T* up, std::int64_t count,
                                         T* __restrict dgate, T* __restrict dup) {
  for (std::int64_t i = 0; i < count; ++i) {
    const M g = load(gate + i), d = load(dy + i), sigmoid = 1 / (1 + exponential(-g));
    store(dgate + i, d * load(up + i) * sigmoid * (1 + g * (1 - sigmoid)));
    store(dup + i, d * (g * sigmoid));
  }
}

template <class T, class M = math_t<T>>
TRIREME_INLINE double cross_entropy_row_body(const T* scores, std::int64_t width, std::int64_t target, double scale,
                                             M* __restrict scratch, T* __restrict gradient) {
  constexpr int kLanes = Lanes<M>::kCount;
  Lanes<M> sums;
  M most[kLanes];
  for (M& value : most) value = load(scores);
  std::int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes)
    for (int k = 0; k < kLanes; ++k) most[k] = load(scores + i + k) > most[k] ? load(scores + i + k) : most[k];
  for (; i < width; ++i) most[0] = std::max<M>(most[0], load(scores + i));
  const M top = *std::max_element(most, most + kLanes);
  for (i = 0; i + kLanes <= width; i += kLanes)
    for (int k = 0; k < kLanes; ++k) {
      const M value = exponential(load(scores + i + k) - top);
      scratch[i + k] = value;
      sums.lane[k] += value;
    }
  for (int k = 0; i + k < width; ++k) sums.lane[k] += scratch[i + k] = exponential(load(scores + i + k) - top);
  const M sum = sums.sum();
  const double loss = std::log(static_cast<double>(sum)) - static_cast<double>(load(scores + target) - top);
  if (gradient) {
    const M factor = static_cast<M>(scale) / sum;
    for (std::int64_t c = 0; c < width; ++c) store(gradient + c, scratch[c] * factor);
    store(gradient + target, scratch[target] * factor - static_cast<M>(scale));
  }
  return loss;
}

}  // namespace

#define TRIREME_DEFINE_ROW_KERNELS(T, M)                                                                               \
  TRIREME_CLONES void rms_norm_forward(const T* x, const T* weight, double epsilon, std::int64_t rows,                 \
                                       std::int64_t width, T* y, M* inverse_rms) {                                     \
    rms_norm_forward_body(x, weight, epsilon, rows, width, y, inverse_rms);                                            \
  }                                                                                                                    \
  TRIREME_CLONES void rms_norm_backward(const T* dy, const T* x, const T* weight, const M* inverse_rms,                \
                                        std::int64_t rows, std::int64_t width, T* dx, M* weight_gradient) {            \
    rms_norm_backward_body(dy, x, weight, inverse_rms, rows, width, dx, weight_gradient);                              \
  }                                                                                                                    \
  TRIREME_CLONES void rotate_rows(const T* x, const M* cosine, const M* sine, M direction, std::int64_t positions,     \
                                  std::int64_t heads, std::int64_t width, T* y) {                                      \
    rotate_rows_body(x, cosine, sine, direction, positions, heads, width, y);                                          \
  }                                                                                                                    \
  TRIREME_CLONES void swiglu_forward(const T* gate, const T* up, std::int64_t count, T* y) {                           \
    swiglu_forward_body(gate, up, count, y);                                                                           \
  }                                                                                                                    \
  TRIREME_CLONES void swiglu_backward(const T* dy, const T* gate, const T* up, std::int64_t count, T* dgate, T* dup) { \
    swiglu_backward_body(dy, gate, up, count, dgate, dup);                                                             \
  }                                                                                                                    \
  TRIREME_CLONES double cross_entropy_row(const T* scores, std::int64_t width, std::int64_t target, double scale,      \
                                          M* scratch, T* gradient) {                                                   \
    return cross_entropy_row_body(scores, width, target, scale, scratch, gradient);                                    \
  }

TRIREME_DEFINE_ROW_KERNELS(float, float)
TRIREME_DEFINE_ROW_KERNELS(double, double)
TRIREME_DEFINE_ROW_KERNELS(c10::BFloat16, float)

}  // namespace trireme::models
