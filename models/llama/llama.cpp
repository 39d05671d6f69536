#include "models/llama/llama.h"

#include "core/base/error.h"
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
        blocks_(parameters_, config, {.rotary = &rotary_}),
        norm_(parameters_, "norm.", config),
        head_(add_head(embedding_)) {
    if (config.dropout != 0)
      throw Error(ErrorCode::kUsage, "model.dropout is not available for family llama and must be 0, got ",
                  config.dropout);
  }

  at::Tensor forward(const at::Tensor& tokens_bt, const ForwardPass& pass) override {
    return norm_.forward(blocks_.forward(ops::embedding(tokens_bt, embedding_.value), pass));
  }

  const Parameter& head() const override { return head_; }

 private:
  RotaryEmbedding rotary_;
  const Parameter& embedding_;
  Blocks<RmsNorm, GatedFeedForward> blocks_;
  RmsNorm norm_;
  const Parameter& head_;
};

}  // namespace

std::unique_ptr<Model> make_llama(const ModelConfig& config, std::int64_t vocabulary) {
  return std::make_unique<Llama>(config, vocabulary);
}

}  // namespace trireme::models
