#include "models/layers/feed_forward.h"

#include "models/layers/initial.h"

namespace trireme::models {

std::int64_t FeedForward::inner_width(const ModelConfig& config, bool gated) {
  if (config.ffn > 0) return config.ffn;
  return gated ? (config.width * 8 / 3 + 63) / 64 * 64 : 4 * config.width;
}

namespace {

std::int64_t inner_of(const ModelConfig& config, const FeedForward::Options& options) {
  return options.inner > 0 ? options.inner : FeedForward::inner_width(config, options.gated);
}

Linear raised(ParameterList& parameters, const std::string& prefix, const ModelConfig& config,
              const FeedForward::Options& options) {
  return {parameters,   prefix,          config,       inner_of(config, options),
          config.width, initial(config), options.bias, options.share};
}

}  // namespace

FeedForward::FeedForward(ParameterList& parameters, const std::string& prefix, const ModelConfig& config,
                         const Options& options)
    : activation_(options.activation),
      gate_(options.gated ? std::optional(raised(parameters, prefix + "gate.", config, options)) : std::nullopt),
      up_(raised(parameters, prefix + "up.", config, options)),
      down_(parameters, prefix + "down.", config, config.width, inner_of(config, options), initial_output(config),
            options.bias, options.share) {}

at::Tensor FeedForward::forward(const at::Tensor& x, const ForwardPass& pass) const {
  if (!gate_) return down_.forward(ops::activated(up_.products(x, pass), up_.bias(), activation_), pass);
  const auto inner = Linear::forward_each({&*gate_, &up_}, x, pass);
  return down_.forward(ops::gated(inner[0], inner[1], activation_), pass);
}

}  // namespace trireme::models
