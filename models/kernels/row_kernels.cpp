#include "models/kernels/row_kernels.h"

#include <algorithm>
#include <cmath>

#include "core/base/clones.h"
#include "models/kernels/vector_math.h"

namespace trireme::models {
namespace {

#define TRIREME_INLINE [[gnu::always_inline]] inline

// The sum of value(0) ... value(count - 1), in lanes.
template <class M, class Value>
TRIREME_INLINE M lane_sum(std::int64_t count, Value value) {
  Lanes<M> lanes;
  std::int64_t i = 0;
  for (; i + Lanes<M>::kCount <= count; i += Lanes<M>::kCount)
    for (int k = 0; k < Lanes<M>::kCount; ++k) lanes.lane[k] += value(i + k);
  for (int k = 0; i + k < count; ++k) lanes.lane[k] += value(i + k);
  return lanes.sum();
}

template <class T, class M = math_t<T>>
TRIREME_INLINE void rms_norm_forward_body(const T* x, const T* weight, M offset, double epsilon, std::int64_t rows,
                                          std::int64_t width, T* __restrict y, M* inverse_rms) {
  for (std::int64_t row = 0; row < rows; ++row, x += width, y += width) {
    const M squares =
        lane_sum<M>(width, [&](std::int64_t c) __attribute__((always_inline)) { return load(x + c) * load(x + c); });
    const M inverse = 1 / std::sqrt(squares / static_cast<M>(width) + static_cast<M>(epsilon));
    inverse_rms[row] = inverse;
    for (std::int64_t c = 0; c < width; ++c) store(y + c, load(x + c) * inverse * (load(weight + c) + offset));
  }
}

template <class T, class M = math_t<T>>
TRIREME_INLINE void rms_norm_backward_body(const T* dy, const T* x, const T* weight, M offset, const M* inverse_rms,
                                           std::int64_t rows, std::int64_t width, T* __restrict dx,
                                           M* __restrict weight_gradient) {
  for (std::int64_t row = 0; row < rows; ++row, x += width, dy += width, dx += width) {
    const M inverse = inverse_rms[row];
    const M dots = lane_sum<M>(width, [&](std::int64_t c) __attribute__((always_inline)) {
      return load(dy + c) * (load(weight + c) + offset) * (load(x + c) * inverse);
    });
    const M mean = dots / static_cast<M>(width);
    for (std::int64_t c = 0; c < width; ++c) {
      const M scaled = load(x + c) * inverse;
      store(dx + c, inverse * (load(dy + c) * (load(weight + c) + offset) - scaled * mean));
      weight_gradient[c] += load(dy + c) * scaled;
    }
  }
}

template <class T, class M = math_t<T>>
TRIREME_INLINE void layer_norm_forward_body(const T* x, const T* weight, const T* bias, double epsilon,
                                            std::int64_t rows, std::int64_t width, T* __restrict y, M* means,
                                            M* inverse_deviations) {
  for (std::int64_t row = 0; row < rows; ++row, x += width, y += width) {
    const M mean = lane_sum<M>(width, [&](std::int64_t c) __attribute__((always_inline)) { return load(x + c); }) /
                   static_cast<M>(width);
    const M squares = lane_sum<M>(width, [&](std::int64_t c) __attribute__((always_inline)) {
      return (load(x + c) - mean) * (load(x + c) - mean);
    });
    const M inverse = 1 / std::sqrt(squares / static_cast<M>(width) + static_cast<M>(epsilon));
    means[row] = mean;
    inverse_deviations[row] = inverse;
    for (std::int64_t c = 0; c < width; ++c)
      store(y + c, (load(x + c) - mean) * inverse * load(weight + c) + load(bias + c));
  }
}

template <class T, class M = math_t<T>>
TRIREME_INLINE void layer_norm_backward_body(const T* dy, const T* x, const T* weight, const M* means,
                                             const M* inverse_deviations, std::int64_t rows, std::int64_t width,
                                             T* __restrict dx, M* __restrict weight_gradient,
                                             M* __restrict bias_gradient) {
  for (std::int64_t row = 0; row < rows; ++row, x += width, dy += width, dx += width) {
    const M mean = means[row], inverse = inverse_deviations[row];
    const M sum = lane_sum<M>(
        width, [&](std::int64_t c) __attribute__((always_inline)) { return load(dy + c) * load(weight + c); });
    const M dots = lane_sum<M>(width, [&](std::int64_t c) __attribute__((always_inline)) {
      return load(dy + c) * load(weight + c) * ((load(x + c) - mean) * inverse);
    });
    const M mean_sum = sum / static_cast<M>(width), mean_dot = dots / static_cast<M>(width);
    for (std::int64_t c = 0; c < width; ++c) {
      const M d = load(dy + c), scaled = (load(x + c) - mean) * inverse;
      store(dx + c, inverse * (d * load(weight + c) - mean_sum - scaled * mean_dot));
      weight_gradient[c] += d * scaled;
      bias_gradient[c] += d;
    }
  }
}

template <class T, class M = math_t<T>>
TRIREME_INLINE void rotate_rows_body(const T* x, const M* cosine, const M* sine, M direction, std::int64_t positions,
                                     std::int64_t heads, std::int64_t width, std::int64_t turned, T* __restrict y) {
  const std::int64_t half = turned / 2;
  for (std::int64_t position = 0; position < positions; ++position, cosine += half, sine += half)
    for (std::int64_t head = 0; head < heads; ++head, x += width, y += width) {
      for (std::int64_t i = 0; i < half; ++i) {
        const M a = load(x + i), b = load(x + half + i), s = direction * sine[i];
        store(y + i, a * cosine[i] - b * s);
        store(y + half + i, b * cosine[i] + a * s);
      }
      std::copy(x + turned, x + width, y + turned);
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

// gelu(v) = v / 2 * (1 + tanh(u)) with u = sqrt(2 / pi) * (v + 0.044715 v^3), and (1 + tanh(u)) / 2 = sigmoid(2 u).
template <class M>
TRIREME_INLINE M gelu_sigmoid(M v) {
  return 1 / (1 + exponential(static_cast<M>(-1.5957691216057308) * (v + static_cast<M>(0.044715) * (v * v * v))));
}

template <class T, class M = math_t<T>>
TRIREME_INLINE void bias_gelu_forward_body(const T* x, const T* bias, std::int64_t rows, std::int64_t width,
                                           T* __restrict y) {
  for (std::int64_t row = 0; row < rows; ++row, x += width, y += width)
    for (std::int64_t c = 0; c < width; ++c) {
      const M v = load(x + c) + load(bias + c);
      store(y + c, v * gelu_sigmoid(v));
    }
}

template <class T, class M = math_t<T>>
TRIREME_INLINE void bias_gelu_backward_body(const T* dy, const T* x, const T* bias, std::int64_t rows,
                                            std::int64_t width, T* __restrict dx, M* __restrict bias_gradient) {
  for (std::int64_t row = 0; row < rows; ++row, x += width, dy += width, dx += width)
    for (std::int64_t c = 0; c < width; ++c) {
      const M v = load(x + c) + load(bias + c), sigmoid = gelu_sigmoid(v);
      const M slope = static_cast<M>(1.5957691216057308) * (1 + static_cast<M>(3 * 0.044715) * (v * v));
      const M d = load(dy + c) * (sigmoid + v * sigmoid * (1 - sigmoid) * slope);
      store(dx + c, d);
      bias_gradient[c] += d;
    }
}

template <class T, class M = math_t<T>>
TRIREME_INLINE void dropout_row_body(const T* x, const std::uint32_t* words, std::uint32_t threshold, M scale,
                                     std::int64_t width, T* y) {
#pragma GCC ivdep  // y may be x, and then is the same element
  for (std::int64_t c = 0; c < width; ++c) {
    const M kept = load(x + c) * scale;
    store(y + c, words[c] >= threshold ? kept : M(0));
  }
}

// In lanes, as sums are: the largest of `count` values, at least one.
template <class T, class M = math_t<T>>
TRIREME_INLINE M largest(const T* x, std::int64_t count) {
  constexpr int kLanes = Lanes<M>::kCount;
  M most[kLanes];
  for (M& value : most) value = load(x);
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (int k = 0; k < kLanes; ++k) most[k] = load(x + i + k) > most[k] ? load(x + i + k) : most[k];
  for (; i < count; ++i) most[0] = std::max<M>(most[0], load(x + i));
  return *std::max_element(most, most + kLanes);
}

template <class T, class M = math_t<T>>
TRIREME_INLINE void softmax_row_body(T* row, std::int64_t count, std::int64_t width, M scale) {
  const M top = largest(row, count);
  for (std::int64_t c = 0; c < count; ++c) store(row + c, exponential((load(row + c) - top) * scale));
  const M sum = lane_sum<M>(count, [&](std::int64_t c) __attribute__((always_inline)) { return load(row + c); });
  for (std::int64_t c = 0; c < count; ++c) store(row + c, load(row + c) / sum);
  for (std::int64_t c = count; c < width; ++c) store(row + c, M(0));
}

template <class T, class M = math_t<T>>
TRIREME_INLINE void softmax_backward_row_body(const T* y, std::int64_t count, std::int64_t width, M scale,
                                              T* derivative) {
  const M dot = lane_sum<M>(
      count, [&](std::int64_t c) __attribute__((always_inline)) { return load(y + c) * load(derivative + c); });
  for (std::int64_t c = 0; c < count; ++c) store(derivative + c, load(y + c) * (load(derivative + c) - dot) * scale);
  for (std::int64_t c = count; c < width; ++c) store(derivative + c, M(0));
}

template <class T, class M = math_t<T>>
TRIREME_INLINE double cross_entropy_row_body(const T* scores, std::int64_t width, std::int64_t target, double scale,
                                             M* __restrict scratch, T* __restrict gradient) {
  constexpr int kLanes = Lanes<M>::kCount;
  Lanes<M> sums;
  const M top = largest(scores, width);
  std::int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes)
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
  TRIREME_CLONES void rms_norm_forward(const T* x, const T* weight, M offset, double epsilon, std::int64_t rows,       \
                                       std::int64_t width, T* y, M* inverse_rms) {                                     \
    rms_norm_forward_body(x, weight, offset, epsilon, rows, width, y, inverse_rms);                                    \
  }                                                                                                                    \
  TRIREME_CLONES void rms_norm_backward(const T* dy, const T* x, const T* weight, M offset, const M* inverse_rms,      \
                                        std::int64_t rows, std::int64_t width, T* dx, M* weight_gradient) {            \
    rms_norm_backward_body(dy, x, weight, offset, inverse_rms, rows, width, dx, weight_gradient);                      \
  }                                                                                                                    \
  TRIREME_CLONES void layer_norm_forward(const T* x, const T* weight, const T* bias, double epsilon,                   \
                                         std::int64_t rows, std::int64_t width, T* y, M* mean, M* inverse_deviation) { \
    layer_norm_forward_body(x, weight, bias, epsilon, rows, width, y, mean, inverse_deviation);                        \
  }                                                                                                                    \
  TRIREME_CLONES void layer_norm_backward(const T* dy, const T* x, const T* weight, const M* mean,                     \
                                          const M* inverse_deviation, std::int64_t rows, std::int64_t width, T* dx,    \
                                          M* weight_gradient, M* bias_gradient) {                                      \
    layer_norm_backward_body(dy, x, weight, mean, inverse_deviation, rows, width, dx, weight_gradient, bias_gradient); \
  }                                                                                                                    \
  TRIREME_CLONES void rotate_rows(const T* x, const M* cosine, const M* sine, M direction, std::int64_t positions,     \
                                  std::int64_t heads, std::int64_t width, std::int64_t turned, T* y) {                 \
    rotate_rows_body(x, cosine, sine, direction, positions, heads, width, turned, y);                                  \
  }                                                                                                                    \
  TRIREME_CLONES void swiglu_forward(const T* gate, const T* up, std::int64_t count, T* y) {                           \
    swiglu_forward_body(gate, up, count, y);                                                                           \
  }                                                                                                                    \
  TRIREME_CLONES void swiglu_backward(const T* dy, const T* gate, const T* up, std::int64_t count, T* dgate, T* dup) { \
    swiglu_backward_body(dy, gate, up, count, dgate, dup);                                                             \
  }                                                                                                                    \
  TRIREME_CLONES void bias_gelu_forward(const T* x, const T* bias, std::int64_t rows, std::int64_t width, T* y) {      \
    bias_gelu_forward_body(x, bias, rows, width, y);                                                                   \
  }                                                                                                                    \
  TRIREME_CLONES void bias_gelu_backward(const T* dy, const T* x, const T* bias, std::int64_t rows,                    \
                                         std::int64_t width, T* dx, M* bias_gradient) {                                \
    bias_gelu_backward_body(dy, x, bias, rows, width, dx, bias_gradient);                                              \
  }                                                                                                                    \
  TRIREME_CLONES void dropout_row(const T* x, const std::uint32_t* words, std::uint32_t threshold, M scale,            \
                                  std::int64_t width, T* y) {                                                          \
    dropout_row_body(x, words, threshold, scale, width, y);                                                            \
  }                                                                                                                    \
  TRIREME_CLONES void softmax_row(T* row, std::int64_t count, std::int64_t width, M scale) {                           \
    softmax_row_body(row, count, width, scale);                                                                        \
  }                                                                                                                    \
  TRIREME_CLONES void softmax_backward_row(const T* y, std::int64_t count, std::int64_t width, M scale,                \
                                           T* derivative) {                                                            \
    softmax_backward_row_body(y, count, width, scale, derivative);                                                     \
  }                                                                                                                    \
  TRIREME_CLONES double cross_entropy_row(const T* scores, std::int64_t width, std::int64_t target, double scale,      \
                                          M* scratch, T* gradient) {                                                   \
    return cross_entropy_row_body(scores, width, target, scale, scratch, gradient);                                    \
  }

TRIREME_DEFINE_ROW_KERNELS(float, float)
TRIREME_DEFINE_ROW_KERNELS(double, double)
TRIREME_DEFINE_ROW_KERNELS(c10::BFloat16, float)

}  // namespace trireme::models
