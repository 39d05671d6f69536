#include "models/layers/attention.h"

#include "models/generate/kv_cache.h"
#include "models/kernels/ops.h"

namespace trireme::models {

Attention::Attention(ParameterList& parameters, const std::string& prefix, const ModelConfig& config,
                     std::int64_t layer, double deviation, double output_deviation)
    : layer_(layer), heads_(config.heads), kv_heads_(config.kv_heads_or_default()), head_width_(config.head_width()) {
  const std::int64_t width = config.width, kv_width = kv_heads_ * head_width_;
  query_ = &parameters.add(prefix + "query.weight", {width, width}, Init::normal(deviation));
  key_ = &parameters.add(prefix + "key.weight", {kv_width, width}, Init::normal(deviation));
  value_ = &parameters.add(prefix + "value.weight", {kv_width, width}, Init::normal(deviation));
  output_ = &parameters.add(prefix + "output.weight", {width, width}, Init::normal(output_deviation));
}

at::Tensor Attention::forward(const at::Tensor& x_btc, const RotaryEmbedding& rotary, KvCache* cache) const {
  const std::int64_t batch = x_btc.size(0), tokens = x_btc.size(1);
  const auto project = [&](const Parameter* weight, std::int64_t heads) {
    return ops::linear(x_btc, weight->value).view({batch, tokens, heads, head_width_}).transpose(1, 2);
  };
  const std::int64_t offset = cache ? cache->length() : 0;
  const at::Tensor q = rotary.forward(project(query_, heads_), offset);
  at::Tensor k = rotary.forward(project(key_, kv_heads_), offset);
  at::Tensor v = project(value_, kv_heads_);
  if (cache) std::tie(k, v) = cache->extend(layer_, k, v);
  const at::Tensor mixed = ops::causal_attention(q, k, v);
  return ops::linear(mixed.transpose(1, 2).reshape({batch, tokens, heads_ * head_width_}), output_->value);
}

}  // namespace trireme::models
