#include "models/llama/llama.h"

#include "models/kernels/ops.h"
#include "models/layers/block.h"
#include "models/layers/feed_forward.h"
#include "models/layers/initial.h"
#include "models/layers/norm.h"

namespace trireme::models {
namespace {

class Llama final : public Model {
 public:
  Llama(const ModelConfig& config, std::int64_t vocabulary)
      : Model(config, vocabulary),
        rotary_(config.head_width(), config.context, config.rope_base),
        embedding_(parameters_.add("embedding.weight", {vocabulary, config.width}, initial(config), Role::kTable)),
        dropout_(config, "embedding"),
        blocks_(parameters_, config, {.rotary = &rotary_}),
        norm_(parameters_, "norm.", config),
        head_(add_head(embedding_)) {}

  at::Tensor forward(const at::Tensor& tokens_bt, const ForwardPass& pass) override {
    const at::Tensor x = dropout_.forward(ops::embedding(tokens_bt, embedding_.value), pass);
    return norm_.forward(blocks_.forward(x, pass));
  }

  const Parameter& head() const override { return head_; }

 private:
  RotaryEmbedding rotary_;
  const Parameter& embedding_;
  Dropout dropout_;
  Blocks<RmsNorm, GatedFeedForward> blocks_;
  RmsNorm norm_;
  const Parameter& head_;
};

}  // namespace

std::unique_ptr<Model> make_llama(const ModelConfig& config, std::int64_t vocabulary) {
  return std::make_unique<Llama>(config, vocabulary);
}

}  // namespace trireme::models
