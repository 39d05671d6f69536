#include "models/layers/feed_forward.h"

#include "models/kernels/ops.h"
#include "models/layers/initial.h"

namespace trireme::models {
namespace {

std::int64_t gated_inner(const ModelConfig& config) {
  return config.ffn > 0 ? config.ffn : (config.width * 8 / 3 + 63) / 64 * 64;
}

std::int64_t inner(const ModelConfig& config) { return config.ffn > 0 ? config.ffn : 4 * config.width; }

}  // namespace

GatedFeedForward::GatedFeedForward(ParameterList& parameters, const std::string& prefix, const ModelConfig& config)
    : gate_(parameters, prefix + "gate.", gated_inner(config), config.width, initial(config), Linear::Bias::kNone),
      up_(parameters, prefix + "up.", gated_inner(config), config.width, initial(config), Linear::Bias::kNone),
      down_(parameters, prefix + "down.", config.width, gated_inner(config), initial_output(config),
            Linear::Bias::kNone) {}

at::Tensor GatedFeedForward::forward(const at::Tensor& x) const {
  const auto inner = Linear::forward_each({&gate_, &up_}, x);
  return down_.forward(ops::swiglu(inner[0], inner[1]));
}

FeedForward::FeedForward(ParameterList& parameters, const std::string& prefix, const ModelConfig& config)
    : up_(parameters, prefix + "up.", inner(config), config.width, initial(config), Linear::Bias::kNone),
      up_bias_(&parameters.add(prefix + "up.bias", {inner(config)}, Init::zeros(), Role::kBias)),
      down_(parameters, prefix + "down.", config.width, inner(config), initial_output(config), Linear::Bias::kZeros) {}

at::Tensor FeedForward::forward(const at::Tensor& x) const {
  return down_.forward(ops::bias_gelu(up_.forward(x), up_bias_->value));
}

}  // namespace trireme::models
