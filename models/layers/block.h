#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "models/layers/attention.h"
#include "models/layers/dropout.h"
#include "models/layers/experts.h"
#include "models/layers/feed_forward.h"
#include "models/layers/norm.h"

namespace trireme::models {

/// One layer that norms what goes into its parts: x + attention(norm(x)), then x + feed_forward(norm(x)),
/// with dropout on what is added. Source: Xiong et al. 2020, arXiv:2002.04745 (pre-norm). Or one of those that came
/// first, which norm what comes out: norm(x + attention(x)), then norm(x + feed_forward(x)). arXiv:1706.03762.
class Block {
 public:
  struct Options {
    Norm::Kind norm = Norm::Kind::kRms;
    Attention::Options attention;
    FeedForward::Options feed_forward;
    std::string prefix;    ///< of the names of its parameters, before "blocks."
    bool cross = false;    ///< looks at what an encoder gave as well, behind its own attention. arXiv:1706.03762
    bool experts = false;  ///< several feed-forwards, as model.experts says
    bool parallel =
        false;  ///< both parts read x: x + attention(norm(x)) + feed_forward(norm(x)). GPT-J; arXiv:2204.06745
    bool post_norm = false;     ///< of those that came first; not together with the two other options
    bool norms_behind = false;  ///< what a part gives is normed as well, before it is added. Gemma 2, arXiv:2408.00118
  };

  /// Adds the parameters of layer number `layer` under "blocks.<layer>.".
  Block(ParameterList& parameters, const ModelConfig& config, std::int64_t layer, const Options& options);

  /// group_of its parameters.
  std::string_view group() const { return group_of(name_); }
  /// [B, T, C] -> [B, T, C]
  at::Tensor forward(const at::Tensor& x_btc, const ForwardPass& pass) const;
  /// Whether a gradient reads the last matrix product of forward.
  bool last_is_read() const { return feed_forward_output_norm_ || experts_ || post_norm_; }

 private:
  std::string name_;
  bool parallel_, post_norm_;
  Norm attention_norm_;
  Attention attention_;
  std::optional<Norm> attention_output_norm_;
  Dropout attention_dropout_;
  std::optional<Norm> cross_norm_;
  std::optional<Attention> cross_;
  Dropout cross_dropout_;
  Norm feed_forward_norm_;
  std::optional<FeedForward> feed_forward_;
  std::optional<Experts> experts_;
  std::optional<Norm> feed_forward_output_norm_;
  Dropout feed_forward_dropout_;
};

}  // namespace trireme::models
