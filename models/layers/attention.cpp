#include "models/layers/attention.h"

#include "core/base/error.h"
#include "models/generate/kv_cache.h"
#include "models/kernels/ops.h"
#include "models/layers/initial.h"

namespace trireme::models {
namespace {

std::optional<Norm> head_norm(ParameterList& parameters, const std::string& prefix, const ModelConfig& config,
                              const Attention::Options& options) {
  if (!options.query_key_norm) return std::nullopt;
  return std::optional<Norm>(std::in_place, parameters, prefix, config.head_width_or_default(), Norm::Kind::kRms,
                             config.norm_epsilon);
}

}  // namespace

Attention::Attention(ParameterList& parameters, const std::string& prefix, const ModelConfig& config,
                     std::int64_t layer, const Options& options)
    : layer_(layer),
      heads_(config.heads),
      kv_heads_(config.kv_heads_or_default()),
      head_width_(config.head_width_or_default()),
      rotary_(options.rotary),
      rule_(options.rule),
      cross_(options.cross),
      probabilities_(config, prefix + "probabilities"),
      query_(parameters, prefix + "query.", config, heads_ * head_width_, config.width, initial(config),
             options.input_bias),
      key_(parameters, prefix + "key.", config, kv_heads_ * head_width_, config.width, initial(config),
           options.input_bias),
      value_(parameters, prefix + "value.", config, kv_heads_ * head_width_, config.width, initial(config),
             options.input_bias),
      query_norm_(head_norm(parameters, prefix + "query-norm.", config, options)),
      key_norm_(head_norm(parameters, prefix + "key-norm.", config, options)),
      output_(parameters, prefix + "output.", config, config.width, heads_ * head_width_, initial_output(config),
              options.output_bias) {}

// Keys and values of what an encoder gave; of a cache's text they stay the same.
std::pair<at::Tensor, at::Tensor> Attention::of_memory(const ForwardPass& pass) const {
  const auto make = [&] {
    const auto projected = Linear::forward_each({&key_, &value_}, pass.memory, pass);
    const auto in_heads = [&](const at::Tensor& x) {
      return x.view({x.size(0), x.size(1), kv_heads_, head_width_}).transpose(1, 2);
    };
    return std::pair(in_heads(projected[0]), in_heads(projected[1]));
  };
  return pass.cache ? pass.cache->memory(layer_, make) : make();
}

at::Tensor Attention::forward(const at::Tensor& x_btc, const ForwardPass& pass) const {
  const Documents* const documents = pass.documents.get();
  if (documents && (pass.cache || cross_ || x_btc.size(0) * x_btc.size(1) != documents->tokens()))
    throw Error(ErrorCode::kBug, "documents of ", documents->tokens(), " tokens do not fit attention to ",
                x_btc.size(0), " rows of ", x_btc.size(1), ", a cache or another text");
  // Documents lie in one row.
  const std::int64_t batch = documents ? 1 : x_btc.size(0), tokens = documents ? documents->tokens() : x_btc.size(1);
  const auto in_heads = [&](const at::Tensor& x, std::int64_t heads, const std::optional<Norm>& norm) {
    const at::Tensor x_bthd = x.view({batch, tokens, heads, head_width_});
    return (norm ? norm->forward(x_bthd) : x_bthd).transpose(1, 2);
  };
  at::Tensor q, k, v;
  if (cross_) {
    q = in_heads(query_.forward(x_btc, pass), heads_, query_norm_);
    std::tie(k, v) = of_memory(pass);
  } else {
    const auto projected = Linear::forward_each({&query_, &key_, &value_}, x_btc, pass);
    q = in_heads(projected[0], heads_, query_norm_);
    k = in_heads(projected[1], kv_heads_, key_norm_);
    v = in_heads(projected[2], kv_heads_, std::nullopt);
    if (rotary_ && documents) {
      q = rotary_->forward(q, *documents);
      k = rotary_->forward(k, *documents);
    } else if (rotary_) {
      const std::int64_t offset = pass.cache ? pass.cache->length() : 0;
      q = rotary_->forward(q, offset);
      k = rotary_->forward(k, offset);
    }
    if (pass.cache) std::tie(k, v) = pass.cache->extend(layer_, k, v);
  }
  const auto dropped = probabilities_.mask(pass);
  const at::Tensor mixed =
      ops::attention(q, k, v, rule_, dropped ? &*dropped : nullptr, cross_ ? at::Tensor() : pass.attention_bias,
                     cross_ || rule_.causal ? at::Tensor() : pass.lengths, pass.documents);
  return output_.forward(mixed.transpose(1, 2).reshape({x_btc.size(0), x_btc.size(1), heads_ * head_width_}), pass);
}

}  // namespace trireme::models
