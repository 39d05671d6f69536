#pragma once
#include <ATen/core/Tensor.h>

#include "train/config/train_config.h"
#include "train/parallel/flat_parameters.h"

namespace trireme::train {

/// AdamW over the whole row of weights. Matrices decay; vectors (norms, biases) do not.
/// Source: Loshchilov and Hutter 2019, arXiv:1711.05101.
class AdamW {
 public:
  AdamW(const OptimizerConfig& config, FlatParameters& parameters);

  /// @param step            counts from 1, for the bias correction
  /// @param gradient_scale  multiplies every gradient first: what clipping asks for
  void update(std::int64_t step, double learning_rate, double gradient_scale, const at::Tensor& gradients);

  /// Rows like the masters'.
  at::Tensor& first_moment() { return first_; }
  at::Tensor& second_moment() { return second_; }

 private:
  const OptimizerConfig config_;
  FlatParameters& parameters_;
  at::Tensor first_, second_;
};

}  // namespace trireme::train
