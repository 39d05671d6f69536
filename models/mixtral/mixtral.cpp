#include "models/mixtral/mixtral.h"

#include "models/decoder.h"
#include "models/hugging_face/experts_place.h"
#include "models/hugging_face/hf_config.h"

namespace trireme::models {
namespace {

constexpr std::string_view kName = "mixtral";

std::unique_ptr<Model> build(const ModelConfig& config, std::int64_t vocabulary, Part part) {
  expect_experts(config, kName);
  DecoderOptions options;
  options.block.feed_forward.activation = activation_of(config);
  return make_decoder(config, vocabulary, part, options);
}

void read_config(HfConfig& from, ModelConfig& to) {
  read_decoder_config(from, to);
  read_rope(from, to, 1e6);
  read_window(from, to, 0, every_layer(to));
  read_experts(from, to);
  if (from.number("router_jitter_noise", 0) != 0)
    from.fail("router_jitter_noise", "must be 0: noise of the router while training is not supported");
  from.warn_of_dropout({"attention_dropout"});
}

void write_config(const ModelConfig& from, HfConfigWriter& to) {
  write_decoder_config(from, to);
  to.set("intermediate_size", expert_width(from));
  write_rope(from, to);
  write_experts(from, to);
  to.set("sliding_window", window_json(from));
}

HfPlace place(const ModelConfig&, const Parameter& parameter) {
  if (auto place = expert_place(parameter, "block_sparse_moe.", {"w1", "w3", "w2"})) return *place;
  return usual_place(parameter);
}

}  // namespace

const Family& mixtral_family() {
  static const Family family{
      .name = kName,
      .keys = {"kv-heads", "head-width", "rope-base", "rope-scaling.", "activation", "window", "experts.count",
               "experts.per-token", "experts.ffn"},
      .activation = ops::Activation::kSilu,
      .build = build,
      .read_config = read_config,
      .write_config = write_config,
      .place = place,
      .architectures = {{"language", "MixtralForCausalLM"},
                        {"classes", "MixtralForSequenceClassification", "score"},
                        {"labels", "MixtralForTokenClassification", "score"}},
      .base_prefix = "model.",
      .not_weights = {".rotary_emb.inv_freq"},
  };
  return family;
}

}  // namespace trireme::models
