#include "models/layers/block.h"

#include <ATen/TensorOperators.h>

namespace trireme::models {
namespace {

std::optional<Norm> norm_behind(ParameterList& parameters, const std::string& prefix, const ModelConfig& config,
                                const Block::Options& options) {
  if (!options.norms_behind) return std::nullopt;
  return std::optional<Norm>(std::in_place, parameters, prefix, config.width, options.norm, config.norm_epsilon);
}

Attention::Options across(Attention::Options options) {
  options.cross = true;
  options.rotary = nullptr;
  options.rule.causal = false;
  options.rule.window = 0;
  return options;
}

}  // namespace

Block::Block(ParameterList& parameters, const ModelConfig& config, std::int64_t layer, const Options& options)
    : name_(options.prefix + "blocks." + std::to_string(layer) + "."),
      parallel_(options.parallel),
      post_norm_(options.post_norm),
      attention_norm_(parameters, name_ + "attention-norm.", config.width, options.norm, config.norm_epsilon),
      attention_(parameters, name_ + "attention.", config, layer, options.attention),
      attention_output_norm_(norm_behind(parameters, name_ + "attention-output-norm.", config, options)),
      attention_dropout_(config, name_ + "attention"),
      cross_norm_(options.cross ? std::optional<Norm>(std::in_place, parameters, name_ + "cross-attention-norm.",
                                                      config.width, options.norm, config.norm_epsilon)
                                : std::nullopt),
      cross_(options.cross ? std::optional<Attention>(std::in_place, parameters, name_ + "cross-attention.", config,
                                                      layer, across(options.attention))
                           : std::nullopt),
      cross_dropout_(config, name_ + "cross-attention"),
      feed_forward_norm_(parameters, name_ + "feed-forward-norm.", config.width, options.norm, config.norm_epsilon),
      feed_forward_(options.experts ? std::nullopt
                                    : std::optional<FeedForward>(std::in_place, parameters, name_ + "feed-forward.",
                                                                 config, options.feed_forward)),
      experts_(options.experts ? std::optional<Experts>(std::in_place, parameters, name_ + "feed-forward.", config,
                                                        options.feed_forward)
                               : std::nullopt),
      feed_forward_output_norm_(norm_behind(parameters, name_ + "feed-forward-output-norm.", config, options)),
      feed_forward_dropout_(config, name_ + "feed-forward") {}

at::Tensor Block::forward(const at::Tensor& x_btc, const ForwardPass& pass) const {
  const auto normed = [](const std::optional<Norm>& norm, const at::Tensor& y) { return norm ? norm->forward(y) : y; };
  const auto feed = [&](const at::Tensor& y) {
    return experts_ ? experts_->forward(y, pass) : feed_forward_->forward(y, pass);
  };
  if (post_norm_) {
    const at::Tensor y =
        attention_norm_.forward(x_btc + attention_dropout_.forward(attention_.forward(x_btc, pass), pass));
    return feed_forward_norm_.forward(y + feed_forward_dropout_.forward(feed(y), pass));
  }
  const at::Tensor attended = normed(attention_output_norm_, attention_.forward(attention_norm_.forward(x_btc), pass));
  at::Tensor x = x_btc + attention_dropout_.forward(attended, pass);
  if (cross_) x = x + cross_dropout_.forward(cross_->forward(cross_norm_->forward(x), pass), pass);
  const at::Tensor fed = normed(feed_forward_output_norm_, feed(feed_forward_norm_.forward(parallel_ ? x_btc : x)));
  return x + feed_forward_dropout_.forward(fed, pass);
}

}  // namespace trireme::models
