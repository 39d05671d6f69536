#pragma once
#include <ATen/core/Tensor.h>

#include <string>

#include "models/config.h"
#include "models/parameters.h"

namespace trireme::models {

/// Gated feed-forward: down(silu(gate(x)) * up(x)). Source: Shazeer 2020, arXiv:2002.05202.
class GatedFeedForward {
 public:
  /// Adds prefix + "gate.weight", "up.weight", "down.weight".
  GatedFeedForward(ParameterList& parameters, const std::string& prefix, const ModelConfig& config, double deviation,
                   double output_deviation);

  /// x [..., C] -> [..., C]
  at::Tensor forward(const at::Tensor& x) const;

 private:
  const Parameter *gate_, *up_, *down_;
};

}  // namespace trireme::models
