#include "models/gpt_neox/gpt_neox.h"

#include "models/decoder.h"
#include "models/hugging_face/hf_config.h"

namespace trireme::models {
namespace {

constexpr std::string_view kName = "gpt_neox";

std::unique_ptr<Model> build(const ModelConfig& config, std::int64_t vocabulary, Part part) {
  DecoderOptions options;
  options.block.norm = Norm::Kind::kLayer;
  options.block.parallel = has_parallel_residual(config);
  options.block.attention.set_bias(chosen(config.attention_bias, "attention-bias", kName, {"all", "none"}));
  options.block.feed_forward = {.gated = false, .activation = activation_of(config), .bias = Linear::Bias::kZeros};
  return make_decoder(config, vocabulary, part, options);
}

constexpr HfDecoderKeys kKeys{.kv_heads = false, .head_width = false, .gated = false, .norm_epsilon = "layer_norm_eps"};

void read_config(HfConfig& from, ModelConfig& to) {
  read_decoder_config(from, to, kKeys);
  if (from.is_missing("hidden_act")) to.activation = "gelu";
  read_rope(from, to, from.number("rotary_emb_base", 10000), from.number("rotary_pct", 0.25));
  to.parallel_residual = from.flag("use_parallel_residual", true) ? "yes" : "no";
  to.attention_bias = from.flag("attention_bias", true) ? "all" : "none";
  from.expect("is_decoder", false);
  from.ignore({"classifier_dropout", "hidden_dropout_prob", "attention_probs_dropout_prob"});
  from.warn_of_dropout({"attention_dropout", "hidden_dropout"});
}

void write_config(const ModelConfig& from, HfConfigWriter& to) {
  write_decoder_config(from, to, kKeys);
  write_rope(from, to, "rotary_emb_base", "rotary_pct");
  to.set("use_parallel_residual", has_parallel_residual(from));
  to.set("attention_bias", from.attention_bias != "none");
}

HfPlace place(const ModelConfig& config, const Parameter& parameter) {
  const auto [layer, part] = split_block_name(parameter.name);
  if (part == "embedding.weight") return whole_tensor("gpt_neox.embed_in.weight", parameter);
  if (part == "head.weight") return whole_tensor("embed_out.weight", parameter);
  const std::size_t dot = part.rfind('.');
  const std::string_view what = part.substr(0, dot);
  const std::string kind(part.substr(dot));
  if (what == "norm") return whole_tensor("gpt_neox.final_layer_norm" + kind, parameter);
  const std::string block = "gpt_neox.layers." + std::to_string(layer) + ".";
  constexpr std::pair<std::string_view, std::string_view> kNames[] = {{"attention-norm", "input_layernorm"},
                                                                      {"feed-forward-norm", "post_attention_layernorm"},
                                                                      {"attention.output", "attention.dense"},
                                                                      {"feed-forward.up", "mlp.dense_h_to_4h"},
                                                                      {"feed-forward.down", "mlp.dense_4h_to_h"}};
  for (const auto& [ours, theirs] : kNames)
    if (ours == what) return whole_tensor(block + std::string(theirs) + kind, parameter);
  // Queries, keys and values lie head by head: a head's queries, then its keys, then its values.
  const std::int64_t which = what == "attention.query" ? 0 : what == "attention.key" ? 1 : 2;
  HfPlace place = rows_of_tensor(block + "attention.query_key_value" + kind, parameter, 3 * config.width, 0);
  place.run = parameter.elements() / config.heads;
  place.offset = which * place.run;
  place.stride = 3 * place.run;
  return place;
}

}  // namespace

const Family& gpt_neox_family() {
  static const Family family{
      .name = kName,
      .keys = {"rope-base", "rope-share", "rope-scaling.", "activation", "attention-bias", "parallel-residual"},
      .activation = ops::Activation::kGelu,
      .parallel_residual = true,
      .build = build,
      .read_config = read_config,
      .write_config = write_config,
      .place = place,
      .architectures = {{"language", "GPTNeoXForCausalLM"},
                        {"classes", "GPTNeoXForSequenceClassification", "score"},
                        {"labels", "GPTNeoXForTokenClassification", "classifier"}},
      .base_prefix = "gpt_neox.",
      .renamed = {{"embed_out.", "lm_head."}},
      .not_weights = {".attention.bias", ".attention.masked_bias", ".rotary_emb.inv_freq"},
  };
  return family;
}

}  // namespace trireme::models
