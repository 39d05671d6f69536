#include "models/llama/llama.h"

#include <optional>

#include "models/kernels/ops.h"
#include "models/layers/block.h"
#include "models/layers/feed_forward.h"
#include "models/layers/initial.h"
#include "models/layers/norm.h"
#include "models/weight_access.h"

namespace trireme::models {
namespace {

class Llama final : public Model {
 public:
  Llama(const ModelConfig& config, std::int64_t vocabulary, Part part)
      : Model(config, vocabulary, part),
        rotary_(config.head_width(), config.context, config.rope_base),
        embedding_(add_embedding(initial(config))),
        dropout_(config, "embedding"),
        blocks_(parameters_, config, this->part(), {.rotary = &rotary_}) {
    if (ends()) norm_.emplace(parameters_, "norm.", config);
    add_head(initial(config));
  }

  at::Tensor forward(const at::Tensor& input, const ForwardPass& pass) override {
    const at::Tensor y = blocks_.forward(begins() ? embedded(input, pass) : input, pass);
    if (!ends()) return y;
    return with_weights(pass.weights, "norm", y, [&](const at::Tensor& in) { return norm_->forward(in); });
  }

 private:
  at::Tensor embedded(const at::Tensor& tokens_bt, const ForwardPass& pass) const {
    const ReadingWeights reading(pass.weights, "embedding");
    return dropout_.forward(ops::embedding(tokens_bt, embedding_->value), pass);
  }

  RotaryEmbedding rotary_;
  const Parameter* embedding_;
  Dropout dropout_;
  Blocks<RmsNorm, GatedFeedForward> blocks_;
  std::optional<RmsNorm> norm_;
};

}  // namespace

std::unique_ptr<Model> make_llama(const ModelConfig& config, std::int64_t vocabulary, Part part) {
  return std::make_unique<Llama>(config, vocabulary, part);
}

}  // namespace trireme::models
