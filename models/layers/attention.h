#pragma once
#include <ATen/core/Tensor.h>

#include <string>

#include "models/config.h"
#include "models/forward_pass.h"
#include "models/layers/dropout.h"
#include "models/layers/linear.h"
#include "models/layers/rotary_embedding.h"

namespace trireme::models {

/// Causal self-attention with grouped keys and values. Where tokens stand is told by rotary positions, or was added to
/// what comes in.
/// Source: Vaswani et al. 2017, arXiv:1706.03762; grouped heads: Ainslie et al. 2023, arXiv:2305.13245.
class Attention {
 public:
  struct Options {
    Linear::Bias bias = Linear::Bias::kNone;
    const RotaryEmbedding* rotary = nullptr;  ///< null: none; else it must outlive the attention
  };

  /// Drops attention probabilities at site prefix + "probabilities". Adds prefix + "query.", "key.", "value.",
  /// "output.", each with "weight" and, as options say, "bias".
  Attention(ParameterList& parameters, const std::string& prefix, const ModelConfig& config, std::int64_t layer,
            const Options& options);

  /// x [B, T, C] -> [B, T, C]
  at::Tensor forward(const at::Tensor& x_btc, const ForwardPass& pass) const;

 private:
  std::int64_t layer_, heads_, kv_heads_, head_width_;
  const RotaryEmbedding* rotary_;
  Dropout probabilities_;
  Linear query_, key_, value_, output_;
};

}  // namespace trireme::models
