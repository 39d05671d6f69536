#pragma once
#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <string_view>

#include "models/config.h"
#include "models/forward_pass.h"
#include "models/kernels/ops.h"
#include "models/layers/dropout.h"
#include "models/layers/linear.h"
#include "models/layers/norm.h"
#include "models/layers/rotary_embedding.h"

namespace trireme::models {

/// Attention with grouped keys and values, of tokens to their own text or to what an encoder gave. Where tokens stand
/// is told by rotary positions, by what the pass adds to scores, or was added to what comes in. Source: Vaswani et al.
/// 2017, arXiv:1706.03762; grouped heads: Ainslie et al. 2023, arXiv:2305.13245.
class Attention {
 public:
  struct Options {
    Linear::Bias input_bias = Linear::Bias::kNone;  ///< of queries, keys and values
    Linear::Bias output_bias = Linear::Bias::kNone;
    const RotaryEmbedding* rotary = nullptr;  ///< null: none; else it must outlive the attention
    bool query_key_norm = false;              ///< each head's queries and keys are normed. arXiv:2302.05442
    ops::AttentionRule rule;
    bool cross = false;  ///< keys and values are those of ForwardPass::memory

    /// As model.attention-bias spells it: none, inputs or all.
    void set_bias(std::string_view which) {
      input_bias = which == "none" ? Linear::Bias::kNone : Linear::Bias::kZeros;
      output_bias = which == "all" ? Linear::Bias::kZeros : Linear::Bias::kNone;
    }
  };

  /// Drops attention probabilities at site prefix + "probabilities". Adds prefix + "query.", "key.", "value.",
  /// "output.", each with "weight" and, as options say, "bias", and prefix + "query-norm.", "key-norm.".
  Attention(ParameterList& parameters, const std::string& prefix, const ModelConfig& config, std::int64_t layer,
            const Options& options);

  /// x [B, T, C] -> [B, T, C]
  at::Tensor forward(const at::Tensor& x_btc, const ForwardPass& pass) const;

 private:
  std::pair<at::Tensor, at::Tensor> of_memory(const ForwardPass& pass) const;

  std::int64_t layer_, heads_, kv_heads_, head_width_;
  const RotaryEmbedding* rotary_;
  ops::AttentionRule rule_;
  bool cross_;
  Dropout probabilities_;
  Linear query_, key_, value_;
  std::optional<Norm> query_norm_, key_norm_;
  Linear output_;
};

}  // namespace trireme::models
