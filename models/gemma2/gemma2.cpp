#include "models/gemma2/gemma2.h"

#include <cmath>

#include "models/decoder.h"
#include "models/hugging_face/hf_config.h"

namespace trireme::models {
namespace {

constexpr std::string_view kName = "gemma2";

std::unique_ptr<Model> build(const ModelConfig& config, std::int64_t vocabulary, Part part) {
  DecoderOptions options;
  options.embedding_scale = std::sqrt(static_cast<double>(config.width));
  options.block.norm = Norm::Kind::kRmsOnePlus;
  options.block.norms_behind = true;
  options.block.attention.set_bias(chosen(config.attention_bias, "attention-bias", kName, {"none", "all"}));
  options.block.feed_forward.activation = activation_of(config);
  return make_decoder(config, vocabulary, part, options);
}

constexpr HfDecoderKeys kKeys{.head_width_has_default = true, .activation = "hidden_activation"};

void read_config(HfConfig& from, ModelConfig& to) {
  constexpr std::int64_t kDefaultWindow = 4096;  // of a config.json that does not say, as the numbers below
  read_decoder_config(from, to, kKeys);
  if (from.is_missing("hidden_activation")) to.activation = "gelu-tanh";
  if (from.is_missing("head_dim")) to.head_width = 256;
  if (from.is_missing("tie_word_embeddings")) to.tie_embeddings = true;
  from.ignore({"hidden_act", "sliding_window_size"});  // of older files, and without meaning beside hidden_activation
  read_rope(from, to);
  std::vector<bool> even(static_cast<std::size_t>(to.layers));
  for (std::size_t layer = 0; layer < even.size(); layer += 2) even[layer] = true;
  read_window(from, to, kDefaultWindow, even);
  to.attention_scale = 1 / std::sqrt(from.number("query_pre_attn_scalar", 256));
  const auto cap = [&](const char* key, double otherwise) {
    return from.is_missing(key) ? otherwise : from.number(key, 0);
  };
  to.attention_softcap = cap("attn_logit_softcapping", 50);
  to.logit_softcap = cap("final_logit_softcapping", 30);
  to.attention_bias = from.flag("attention_bias", false) ? "all" : "none";
  from.expect("use_bidirectional_attention", false);
  from.warn_of_dropout({"attention_dropout"});
}

void write_config(const ModelConfig& from, HfConfigWriter& to) {
  write_decoder_config(from, to, kKeys);
  to.set("hidden_act", hf_activation(from));
  write_rope(from, to);
  const double scale = from.attention_scale;
  const double scalar = scale > 0 ? 1 / (scale * scale) : static_cast<double>(from.head_width_or_default());
  // A whole number, but for the rounding of a root.
  if (std::abs(scalar - std::round(scalar)) < 1e-9 * scalar)
    to.set("query_pre_attn_scalar", std::llround(scalar));
  else
    to.set("query_pre_attn_scalar", scalar);
  const auto cap = [](double value) { return value > 0 ? nlohmann::ordered_json(value) : nlohmann::ordered_json(); };
  to.set("attn_logit_softcapping", cap(from.attention_softcap));
  to.set("final_logit_softcapping", cap(from.logit_softcap));
  to.set("sliding_window", window_json(from));
  to.set("layer_types", layer_types(from));
  to.set("attention_bias", from.attention_bias == "all");
}

HfPlace place(const ModelConfig&, const Parameter& parameter) {
  // Norms are called after what they stand before or behind; the usual name of the second is that of another here.
  const auto [layer, part] = split_block_name(parameter.name);
  const char* name = part == "attention-output-norm.weight"      ? "post_attention_layernorm"
                     : part == "feed-forward-norm.weight"        ? "pre_feedforward_layernorm"
                     : part == "feed-forward-output-norm.weight" ? "post_feedforward_layernorm"
                                                                 : nullptr;
  if (!name) return usual_place(parameter);
  return whole_tensor("model.layers." + std::to_string(layer) + "." + name + ".weight", parameter);
}

}  // namespace

const Family& gemma2_family() {
  static const Family family{
      .name = kName,
      .keys = {"kv-heads", "head-width", "rope-base", "rope-scaling.", "activation", "attention-bias", "window",
               "window-layers", "attention-scale", "attention-softcap", "logit-softcap"},
      .activation = ops::Activation::kGeluTanh,
      .build = build,
      .read_config = read_config,
      .write_config = write_config,
      .place = place,
      .architectures = {{"language", "Gemma2ForCausalLM"},
                        {"classes", "Gemma2ForSequenceClassification", "score"},
                        {"labels", "Gemma2ForTokenClassification", "score"}},
      .base_prefix = "model.",
      .not_weights = {".rotary_emb.inv_freq"},
  };
  return family;
}

}  // namespace trireme::models
