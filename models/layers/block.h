#pragma once
#include <ATen/TensorOperators.h>

#include <string>
#include <vector>

#include "models/generate/kv_cache.h"
#include "models/layers/attention.h"
#include "models/layers/dropout.h"
#include "models/layers/recompute.h"
#include "models/part.h"
#include "models/weight_access.h"

namespace trireme::models {

/// One layer of a decoder that norms what goes into its parts: x + attention(norm(x)), then x + feed_forward(norm(x)),
/// with dropout on what is added. Source: Xiong et al. 2020, arXiv:2002.04745 (pre-norm).
/// @tparam Norm         RmsNorm, ...: built from (parameters, prefix, config)
/// @tparam FeedForward  GatedFeedForward, ...: likewise
template <class Norm, class FeedForward>
class Block {
 public:
  /// Adds the parameters of layer number `layer` under "blocks.<layer>.".
  Block(ParameterList& parameters, const ModelConfig& config, std::int64_t layer, const Attention::Options& options)
      : name_("blocks." + std::to_string(layer) + "."),
        attention_norm_(parameters, name_ + "attention-norm.", config),
        attention_(parameters, name_ + "attention.", config, layer, options),
        attention_dropout_(config, name_ + "attention"),
        feed_forward_norm_(parameters, name_ + "feed-forward-norm.", config),
        feed_forward_(parameters, name_ + "feed-forward.", config),
        feed_forward_dropout_(config, name_ + "feed-forward") {}

  /// group_of its parameters.
  std::string_view group() const { return group_of(name_); }

  /// [B, T, C] -> [B, T, C]
  at::Tensor forward(const at::Tensor& x_btc, const ForwardPass& pass) const {
    const at::Tensor x =
        x_btc + attention_dropout_.forward(attention_.forward(attention_norm_.forward(x_btc), pass), pass);
    return x + feed_forward_dropout_.forward(feed_forward_.forward(feed_forward_norm_.forward(x)), pass);
  }

 private:
  std::string name_;
  Norm attention_norm_;
  Attention attention_;
  Dropout attention_dropout_;
  Norm feed_forward_norm_;
  FeedForward feed_forward_;
  Dropout feed_forward_dropout_;
};

/// The layers of a decoder, or of a part of it.
template <class Norm, class FeedForward>
class Blocks {
 public:
  Blocks(ParameterList& parameters, const ModelConfig& config, const Part& part, const Attention::Options& options) {
    blocks_.reserve(static_cast<std::size_t>(part.last - part.first));
    for (std::int64_t layer = part.first; layer < part.last; ++layer)
      blocks_.emplace_back(parameters, config, layer, options);
  }

  /// [B, T, C] -> [B, T, C]; the pass's cache holds the tokens from then on.
  at::Tensor forward(at::Tensor x_btc, const ForwardPass& pass) const {
    const std::int64_t tokens = x_btc.size(1);
    for (const auto& block : blocks_)
      x_btc = with_weights(pass.weights, block.group(), x_btc, [&](const at::Tensor& in) {
        return recomputed(pass.recompute, in, [&block, pass](const at::Tensor& x) { return block.forward(x, pass); });
      });
    if (pass.cache) pass.cache->advance(tokens);
    return x_btc;
  }

 private:
  std::vector<Block<Norm, FeedForward>> blocks_;
};

}  // namespace trireme::models
