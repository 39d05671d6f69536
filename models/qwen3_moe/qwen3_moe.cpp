#include "models/qwen3_moe/qwen3_moe.h"

#include <algorithm>

#include "models/decoder.h"
#include "models/hugging_face/experts_place.h"
#include "models/hugging_face/hf_config.h"
#include "models/layer_list.h"

namespace trireme::models {
namespace {

constexpr std::string_view kName = "qwen3_moe";

std::unique_ptr<Model> build(const ModelConfig& config, std::int64_t vocabulary, Part part) {
  expect_experts(config, kName);
  DecoderOptions options;
  options.block.attention.query_key_norm = true;
  options.block.attention.set_bias(chosen(config.attention_bias, "attention-bias", kName, {"none", "all"}));
  options.block.feed_forward.activation = activation_of(config);
  return make_decoder(config, vocabulary, part, options);
}

void read_config(HfConfig& from, ModelConfig& to) {
  read_decoder_config(from, to);
  read_rope(from, to);
  read_window_if_used(from, to, 4096, every_layer(to));
  from.ignore({"max_window_layers"});  // of the dense Qwen3: here all layers have the window
  read_experts(from, to);
  to.experts.ffn = from.integer("moe_intermediate_size");
  to.experts.normalise = from.flag("norm_topk_prob", false);
  const std::int64_t step = from.integer("decoder_sparse_step", 1);
  if (step < 1) from.fail("decoder_sparse_step", "must be at least 1, got " + std::to_string(step));
  std::vector<bool> chosen(static_cast<std::size_t>(to.layers));
  for (std::size_t layer = 0; layer < chosen.size(); ++layer)
    chosen[layer] = (static_cast<std::int64_t>(layer) + 1) % step == 0;
  for (const std::int64_t layer : from.integers("mlp_only_layers"))
    if (layer >= 0 && layer < to.layers) chosen[static_cast<std::size_t>(layer)] = false;
  to.experts.layers = layer_list_text(chosen);
  to.attention_bias = from.flag("attention_bias", false) ? "all" : "none";
  from.warn_of_dropout({"attention_dropout"});
}

void write_config(const ModelConfig& from, HfConfigWriter& to) {
  write_decoder_config(from, to);
  write_rope(from, to);
  to.set("use_sliding_window", from.window > 0);
  if (from.window > 0) to.set("sliding_window", from.window);
  write_experts(from, to);
  to.set("moe_intermediate_size", expert_width(from));
  to.set("norm_topk_prob", from.experts.normalise);
  to.set("decoder_sparse_step", 1);
  std::vector<std::int64_t> dense;
  const std::vector<bool> chosen = layer_list(from.experts.layers, from.layers, "model.experts.layers");
  for (std::size_t layer = 0; layer < chosen.size(); ++layer)
    if (!chosen[layer]) dense.push_back(static_cast<std::int64_t>(layer));
  to.set("mlp_only_layers", dense);
  to.set("attention_bias", from.attention_bias == "all");
}

HfPlace place(const ModelConfig&, const Parameter& parameter) {
  if (auto place = expert_place(parameter, "mlp.", {"gate_proj", "up_proj", "down_proj"})) return *place;
  return usual_place(parameter);
}

}  // namespace

const Family& qwen3_moe_family() {
  static const Family family{
      .name = kName,
      .keys = {"kv-heads", "head-width", "rope-base", "rope-scaling.", "activation", "attention-bias", "window",
               "experts."},
      .activation = ops::Activation::kSilu,
      .build = build,
      .read_config = read_config,
      .write_config = write_config,
      .place = place,
      .architectures = {{"language", "Qwen3MoeForCausalLM"},
                        {"classes", "Qwen3MoeForSequenceClassification", "score"},
                        {"labels", "Qwen3MoeForTokenClassification", "score"}},
      .base_prefix = "model.",
      .not_weights = {".rotary_emb.inv_freq"},
  };
  return family;
}

}  // namespace trireme::models
