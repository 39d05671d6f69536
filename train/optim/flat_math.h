#pragma once
#include <c10/util/BFloat16.h>

#include <cstdint>

/// Loops over flat rows of numbers, vectorised, with the same bits at any cut of a row and on any instruction set.
namespace trireme::train {

/// out = x, out += x, element by element; bfloat16 is widened first.
void copy_into(float* out, const float* x, std::int64_t count);
void copy_into(double* out, const double* x, std::int64_t count);
void copy_into(float* out, const c10::BFloat16* x, std::int64_t count);
void add_into(float* out, const float* x, std::int64_t count);
void add_into(double* out, const double* x, std::int64_t count);
void add_into(float* out, const c10::BFloat16* x, std::int64_t count);

/// bfloat16 by round to nearest even; NaN stays NaN.
void round_into(c10::BFloat16* out, const float* x, std::int64_t count);

/// average += share * (x - average)
void average_into(float* average, const float* x, double share, std::int64_t count);
void average_into(double* average, const double* x, double share, std::int64_t count);

/// sum += x * x
void add_squares_into(float* sum, const float* x, std::int64_t count);
void add_squares_into(double* sum, const double* x, std::int64_t count);

/// gradient += strength * importance * (weight - start); importance null: 1
void add_pull_into(float* gradient, const float* weight, const float* start, const float* importance, double strength,
                   std::int64_t count);
void add_pull_into(double* gradient, const double* weight, const double* start, const double* importance,
                   double strength, std::int64_t count);

/// Sum of squares in float64, in 16 fixed lanes that are added pairwise at the end. For blocks of a gradient norm.
double sum_of_squares(const float* x, std::int64_t count);
double sum_of_squares(const double* x, std::int64_t count);

/// One AdamW update of `count` weights.
/// Source: Loshchilov and Hutter 2019, arXiv:1711.05101; operations and their order as in PyTorch's AdamW.
struct AdamWStep {
  double learning_rate, weight_decay, beta1, beta2, epsilon;
  double gradient_scale;            ///< from clipping
  double correction1, correction2;  ///< 1 - beta1^t, 1 - beta2^t
};
void adamw_update(const AdamWStep& step, float* weight, const float* gradient, float* first, float* second,
                  std::int64_t count);
void adamw_update(const AdamWStep& step, double* weight, const double* gradient, double* first, double* second,
                  std::int64_t count);

}  // namespace trireme::train
