#pragma once
#include <ATen/core/Tensor.h>

#include <string>

#include "models/config.h"
#include "models/layers/rotary_embedding.h"
#include "models/parameters.h"

namespace trireme::models {

class KvCache;

/// Causal self-attention with rotary positions and grouped keys and values.
/// Source: Vaswani et al. 2017, arXiv:1706.03762; grouped heads: Ainslie et al. 2023, arXiv:2305.13245.
class Attention {
 public:
  /// Adds prefix + "query.weight", "key.weight", "value.weight", "output.weight".
  /// @param output_deviation  of the output projection's initial values
  Attention(ParameterList& parameters, const std::string& prefix, const ModelConfig& config, std::int64_t layer,
            double deviation, double output_deviation);

  /// x [B, T, C] -> [B, T, C]
  at::Tensor forward(const at::Tensor& x_btc, const RotaryEmbedding& rotary, KvCache* cache) const;

 private:
  const Parameter *query_, *key_, *value_, *output_;
  std::int64_t layer_, heads_, kv_heads_, head_width_;
};

}  // namespace trireme::models
