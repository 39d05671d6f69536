#pragma once
#include <ATen/core/Tensor.h>

#include <string>

#include "models/config.h"
#include "models/parameters.h"

namespace trireme::models {

/// x / rms(x) * weight. Source: Zhang and Sennrich 2019, arXiv:1910.07467.
class RmsNorm {
 public:
  /// Adds prefix + "weight".
  RmsNorm(ParameterList& parameters, const std::string& prefix, const ModelConfig& config);
  at::Tensor forward(const at::Tensor& x) const;

 private:
  const Parameter* weight_;
  double epsilon_;
};

/// (x - mean(x)) / deviation(x) * weight + bias. Source: Ba et al. 2016, arXiv:1607.06450.
class LayerNorm {
 public:
  /// Adds prefix + "weight" and "bias".
  LayerNorm(ParameterList& parameters, const std::string& prefix, const ModelConfig& config);
  at::Tensor forward(const at::Tensor& x) const;

 private:
  const Parameter *weight_, *bias_;
  double epsilon_;
};

}  // namespace trireme::models
