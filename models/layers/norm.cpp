#include "models/layers/norm.h"

#include "models/kernels/ops.h"

namespace trireme::models {

RmsNorm::RmsNorm(ParameterList& parameters, const std::string& prefix, const ModelConfig& config)
    : weight_(&parameters.add(prefix + "weight", {config.width}, Init::ones(), Role::kNorm)),
      epsilon_(config.norm_epsilon) {}

at::Tensor RmsNorm::forward(const at::Tensor& x) const { return ops::rms_norm(x, weight_->value, epsilon_); }

LayerNorm::LayerNorm(ParameterList& parameters, const std::string& prefix, const ModelConfig& config)
    : weight_(&parameters.add(prefix + "weight", {config.width}, Init::ones(), Role::kNorm)),
      bias_(&parameters.add(prefix + "bias", {config.width}, Init::zeros(), Role::kBias)),
      epsilon_(config.norm_epsilon) {}

at::Tensor LayerNorm::forward(const at::Tensor& x) const {
  return ops::layer_norm(x, weight_->value, bias_->value, epsilon_);
}

}  // namespace trireme::models
