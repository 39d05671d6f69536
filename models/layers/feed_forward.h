#pragma once
#include <ATen/core/Tensor.h>

#include <string>

#include "models/config.h"
#include "models/layers/linear.h"

namespace trireme::models {

/// Gated feed-forward: down(silu(gate(x)) * up(x)), without biases. Source: Shazeer 2020, arXiv:2002.05202.
class GatedFeedForward {
 public:
  /// Adds prefix + "gate.weight", "up.weight", "down.weight". model.ffn 0 is 8/3 of the width, rounded up to a multiple
  /// of 64: as many weights as without a gate and 4 times the width.
  GatedFeedForward(ParameterList& parameters, const std::string& prefix, const ModelConfig& config);

  /// x [..., C] -> [..., C]
  at::Tensor forward(const at::Tensor& x) const;

 private:
  Linear gate_, up_, down_;
};

/// down(gelu(up(x))), with biases. Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.3, with GELU for ReLU.
class FeedForward {
 public:
  /// Adds prefix + "up." and "down.", each with "weight" and "bias". model.ffn 0 is 4 times the width.
  FeedForward(ParameterList& parameters, const std::string& prefix, const ModelConfig& config);

  /// x [..., C] -> [..., C]
  at::Tensor forward(const at::Tensor& x) const;

 private:
  Linear up_;
  const Parameter* up_bias_;
  Linear down_;
};

}  // namespace trireme::models
