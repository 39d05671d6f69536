#pragma once
#include <ATen/core/Tensor.h>

#include <optional>
#include <string>

#include "models/config.h"
#include "models/forward_pass.h"
#include "models/kernels/ops.h"
#include "models/layers/linear.h"

namespace trireme::models {

/// down(activation(up(x))), or with a gate down(activation(gate(x)) * up(x)).
/// Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.3; gates: Shazeer 2020, arXiv:2002.05202.
class FeedForward {
 public:
  struct Options {
    bool gated = true;
    ops::Activation activation = ops::Activation::kSilu;
    Linear::Bias bias = Linear::Bias::kNone;
    std::int64_t inner = 0;  ///< channels inside; 0: inner_width()
    double share = 1;        ///< of the tokens that pass it
  };

  /// Adds prefix + "gate." where there is one, "up." and "down.", each with "weight" and, as options say, "bias".
  FeedForward(ParameterList& parameters, const std::string& prefix, const ModelConfig& config, const Options& options);

  /// x [..., C] -> [..., C]
  at::Tensor forward(const at::Tensor& x, const ForwardPass& pass) const;

  /// Channels inside. model.ffn 0 is 4 times the width, or with a gate 8/3 of it, rounded up to a multiple of 64: as
  /// many weights as without one.
  static std::int64_t inner_width(const ModelConfig& config, bool gated);

 private:
  ops::Activation activation_;
  std::optional<Linear> gate_;
  Linear up_, down_;
};

}  // namespace trireme::models
