#include "models/layers/feed_forward.h"

#include "models/layers/initial.h"

namespace trireme::models {

std::int64_t FeedForward::inner_width(const ModelConfig& config, bool gated) {
  if (config.ffn > 0) return config.ffn;
  return gated ? (config.width * 8 / 3 + 63) / 64 * 64 : 4 * config.width;
}

FeedForward::FeedForward(ParameterList& parameters, const std::string& prefix, const ModelConfig& config,
                         const Options& options)
    : activation_(options.activation),
      gate_(options.gated
                ? std::optional<Linear>(std::in_place, parameters, prefix + "gate.", inner_width(config, true),
                                        config.width, initial(config), options.bias)
                : std::nullopt),
      up_(parameters, prefix + "up.", inner_width(config, options.gated), config.width, initial(config), options.bias),
      down_(parameters, prefix + "down.", config.width, inner_width(config, options.gated), initial_output(config),
            options.bias) {}

at::Tensor FeedForward::forward(const at::Tensor& x) const {
  if (!gate_) return down_.forward(ops::activated(up_.products(x), up_.bias(), activation_));
  const auto inner = Linear::forward_each({&*gate_, &up_}, x);
  return down_.forward(ops::gated(inner[0], inner[1], activation_));
}

}  // namespace trireme::models
