#include "models/qwen3/qwen3.h"

#include "models/decoder.h"
#include "models/hugging_face/hf_config.h"
#include "models/hugging_face/qwen_window.h"

namespace trireme::models {
namespace {

constexpr std::string_view kName = "qwen3";

constexpr std::int64_t kDefaultHeadWidth = 128;  // of a config.json that does not say

std::unique_ptr<Model> build(const ModelConfig& config, std::int64_t vocabulary, Part part) {
  DecoderOptions options;
  options.block.attention.query_key_norm = true;
  options.block.attention.set_bias(chosen(config.attention_bias, "attention-bias", kName, {"none", "all"}));
  options.block.feed_forward.activation = activation_of(config);
  return make_decoder(config, vocabulary, part, options);
}

constexpr HfDecoderKeys kKeys{.head_width_has_default = true};

void read_config(HfConfig& from, ModelConfig& to) {
  read_decoder_config(from, to, kKeys);
  if (from.is_missing("head_dim")) to.head_width = kDefaultHeadWidth;
  read_rope(from, to);
  read_qwen_window(from, to);
  to.attention_bias = from.flag("attention_bias", false) ? "all" : "none";
  from.warn_of_dropout({"attention_dropout"});
}

void write_config(const ModelConfig& from, HfConfigWriter& to) {
  write_decoder_config(from, to, kKeys);
  write_rope(from, to);
  write_qwen_window(from, to);
  to.set("attention_bias", from.attention_bias == "all");
}

HfPlace place(const ModelConfig&, const Parameter& parameter) { return usual_place(parameter); }

}  // namespace

const Family& qwen3_family() {
  static const Family family{
      .name = kName,
      .keys = {"kv-heads", "head-width", "rope-base", "rope-scaling.", "activation", "attention-bias", "window",
               "window-layers"},
      .activation = ops::Activation::kSilu,
      .build = build,
      .read_config = read_config,
      .write_config = write_config,
      .place = place,
      .architectures = {{"language", "Qwen3ForCausalLM"},
                        {"classes", "Qwen3ForSequenceClassification", "score"},
                        {"labels", "Qwen3ForTokenClassification", "score"}},
      .base_prefix = "model.",
      .not_weights = {".rotary_emb.inv_freq"},
  };
  return family;
}

}  // namespace trireme::models
