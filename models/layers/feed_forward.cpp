#include "models/layers/feed_forward.h"

#include "models/kernels/ops.h"

namespace trireme::models {

GatedFeedForward::GatedFeedForward(ParameterList& parameters, const std::string& prefix, const ModelConfig& config,
                                   double deviation, double output_deviation) {
  const std::int64_t width = config.width, inner = config.ffn_or_default();
  gate_ = &parameters.add(prefix + "gate.weight", {inner, width}, Init::normal(deviation));
  up_ = &parameters.add(prefix + "up.weight", {inner, width}, Init::normal(deviation));
  down_ = &parameters.add(prefix + "down.weight", {width, inner}, Init::normal(output_deviation));
}

at::Tensor GatedFeedForward::forward(const at::Tensor& x) const {
  return ops::linear(ops::swiglu(ops::linear(x, gate_->value), ops::linear(x, up_->value)), down_->value);
}

}  // namespace trireme::models
