#pragma once
#include <c10/util/BFloat16.h>

#include <cstdint>

/// One pass over rows of numbers instead of ATen's several: forward and backward of what is not a matrix product. Plain
/// functions over memory, one thread each, all with the same bits on every instruction set. T is float, double or
/// bfloat16; arithmetic is float32 (float64 for double) and results are rounded once.
namespace trireme::models {

#define TRIREME_ROW_KERNELS(T, M)                                                                                     \
  /** y = x / rms(x) * (weight + offset) for `rows` rows of `width`; keeps 1 / rms of each row. */                    \
  void rms_norm_forward(const T* x, const T* weight, M offset, double epsilon, std::int64_t rows, std::int64_t width, \
                        T* y, M* inverse_rms);                                                                        \
  /** dx, and the rows' share of d weight ADDED to `weight_gradient`. */                                              \
  void rms_norm_backward(const T* dy, const T* x, const T* weight, M offset, const M* inverse_rms, std::int64_t rows, \
                         std::int64_t width, T* dx, M* weight_gradient);                                              \
  /** y = (x - mean(x)) / deviation(x) * weight + bias for `rows` rows of `width`; keeps mean and 1 / deviation. */   \
  void layer_norm_forward(const T* x, const T* weight, const T* bias, double epsilon, std::int64_t rows,              \
                          std::int64_t width, T* y, M* mean, M* inverse_deviation);                                   \
  /** dx, and the rows' share of d weight and d bias ADDED to the gradients. */                                       \
  void layer_norm_backward(const T* dy, const T* x, const T* weight, const M* mean, const M* inverse_deviation,       \
                           std::int64_t rows, std::int64_t width, T* dx, M* weight_gradient, M* bias_gradient);       \
  /** Channel pairs (i, i + turned / 2) of `heads` rows of each of `positions` places, turned by that place's angles; \
      `direction` -1 turns back. Channels from `turned` on stay. */                                                   \
  void rotate_rows(const T* x, const M* cosine, const M* sine, M direction, std::int64_t positions,                   \
                   std::int64_t heads, std::int64_t width, std::int64_t turned, T* y);                                \
  /** y = gate * sigmoid(gate) * up */                                                                                \
  void swiglu_forward(const T* gate, const T* up, std::int64_t count, T* y);                                          \
  void swiglu_backward(const T* dy, const T* gate, const T* up, std::int64_t count, T* dgate, T* dup);                \
  /** y = gelu(x + bias) in its tanh approximation, for `rows` rows of `width` */                                     \
  void bias_gelu_forward(const T* x, const T* bias, std::int64_t rows, std::int64_t width, T* y);                     \
  /** dx, and the rows' share of d bias ADDED to `bias_gradient`. */                                                  \
  void bias_gelu_backward(const T* dy, const T* x, const T* bias, std::int64_t rows, std::int64_t width, T* dx,       \
                          M* bias_gradient);                                                                          \
  /** y = x * scale where the word is at least `threshold`, else 0. y may be x. */                                    \
  void dropout_row(const T* x, const std::uint32_t* words, std::uint32_t threshold, M scale, std::int64_t width,      \
                   T* y);                                                                                             \
  /** softmax(scale * row) of the first `count` of `width` elements, in place; the others become 0. */                \
  void softmax_row(T* row, std::int64_t count, std::int64_t width, M scale);                                          \
  /** In place: the derivative by softmax_row's result becomes the one by its input. */                               \
  void softmax_backward_row(const T* y, std::int64_t count, std::int64_t width, M scale, T* derivative);              \
  /** -log softmax(scores)[target] of one row; with `gradient`, its derivative times `scale` there. `scratch` holds   \
      `width` numbers. */                                                                                             \
  double cross_entropy_row(const T* scores, std::int64_t width, std::int64_t target, double scale, M* scratch,        \
                           T* gradient);

TRIREME_ROW_KERNELS(float, float)
TRIREME_ROW_KERNELS(double, double)
TRIREME_ROW_KERNELS(c10::BFloat16, float)

}  // namespace trireme::models
