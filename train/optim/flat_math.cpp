#include "train/optim/flat_math.h"

#include <cmath>

#include "core/base/clones.h"
#include "models/kernels/vector_math.h"

namespace trireme::train {
namespace {

// The loops are templates that are inlined into one cloned function a type: clones of a template are not supported.
template <class T>
[[gnu::always_inline]] inline double squares(const T* x, std::int64_t count) {
  models::Lanes<double> lanes;
  constexpr int kLanes = models::Lanes<double>::kCount;
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (int k = 0; k < kLanes; ++k) {
      const double value = x[i + k];
      lanes.lane[k] += value * value;
    }
  for (int k = 0; i < count; ++i, ++k) {
    const double value = x[i];
    lanes.lane[k] += value * value;
  }
  return lanes.sum();
}

template <class T>
[[gnu::always_inline]] inline void adamw(const AdamWStep& s, T* __restrict weight, const T* __restrict gradient,
                                         T* __restrict first, T* __restrict second, std::int64_t count) {
  const T scale = static_cast<T>(s.gradient_scale), decay = static_cast<T>(1 - s.learning_rate * s.weight_decay);
  const T keep2 = static_cast<T>(s.beta2), take1 = static_cast<T>(1 - s.beta1), take2 = static_cast<T>(1 - s.beta2);
  const T rate = static_cast<T>(s.learning_rate / s.correction1), root = static_cast<T>(std::sqrt(s.correction2));
  const T epsilon = static_cast<T>(s.epsilon);
  for (std::int64_t i = 0; i < count; ++i) {
    const T g = gradient[i] * scale;
    const T m = first[i] + take1 * (g - first[i]);
    const T v = keep2 * second[i] + take2 * (g * g);
    first[i] = m;
    second[i] = v;
    weight[i] = weight[i] * decay - rate * (m / (std::sqrt(v) / root + epsilon));
  }
}

template <class T>
[[gnu::always_inline]] inline void pull(T* __restrict gradient, const T* __restrict weight, const T* __restrict start,
                                        const T* __restrict importance, double strength, std::int64_t count) {
  const T factor = static_cast<T>(strength);
  if (importance)
    for (std::int64_t i = 0; i < count; ++i) gradient[i] += factor * importance[i] * (weight[i] - start[i]);
  else
    for (std::int64_t i = 0; i < count; ++i) gradient[i] += factor * (weight[i] - start[i]);
}

}  // namespace

TRIREME_CLONES void copy_into(float* __restrict out, const float* __restrict x, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = x[i];
}
TRIREME_CLONES void copy_into(double* __restrict out, const double* __restrict x, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = x[i];
}
TRIREME_CLONES void copy_into(float* __restrict out, const c10::BFloat16* __restrict x, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = models::load(x + i);
}
TRIREME_CLONES void add_into(float* __restrict out, const float* __restrict x, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) out[i] += x[i];
}
TRIREME_CLONES void add_into(double* __restrict out, const double* __restrict x, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) out[i] += x[i];
}
TRIREME_CLONES void add_into(float* __restrict out, const c10::BFloat16* __restrict x, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) out[i] += models::load(x + i);
}

TRIREME_CLONES void round_into(c10::BFloat16* __restrict out, const float* __restrict x, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) models::store(out + i, x[i]);
}

TRIREME_CLONES void average_into(float* __restrict average, const float* __restrict x, double share,
                                 std::int64_t count) {
  const auto part = static_cast<float>(share);
  for (std::int64_t i = 0; i < count; ++i) average[i] += part * (x[i] - average[i]);
}
TRIREME_CLONES void average_into(double* __restrict average, const double* __restrict x, double share,
                                 std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) average[i] += share * (x[i] - average[i]);
}

TRIREME_CLONES void add_squares_into(float* __restrict sum, const float* __restrict x, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) sum[i] += x[i] * x[i];
}
TRIREME_CLONES void add_squares_into(double* __restrict sum, const double* __restrict x, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) sum[i] += x[i] * x[i];
}

TRIREME_CLONES void add_pull_into(float* gradient, const float* weight, const float* start, const float* importance,
                                  double strength, std::int64_t count) {
  pull(gradient, weight, start, importance, strength, count);
}
TRIREME_CLONES void add_pull_into(double* gradient, const double* weight, const double* start, const double* importance,
                                  double strength, std::int64_t count) {
  pull(gradient, weight, start, importance, strength, count);
}

TRIREME_CLONES double sum_of_squares(const float* x, std::int64_t count) { return squares(x, count); }
TRIREME_CLONES double sum_of_squares(const double* x, std::int64_t count) { return squares(x, count); }

TRIREME_CLONES void adamw_update(const AdamWStep& step, float* weight, const float* gradient, float* first,
                                 float* second, std::int64_t count) {
  adamw(step, weight, gradient, first, second, count);
}
TRIREME_CLONES void adamw_update(const AdamWStep& step, double* weight, const double* gradient, double* first,
                                 double* second, std::int64_t count) {
  adamw(step, weight, gradient, first, second, count);
}

}  // namespace trireme::train
