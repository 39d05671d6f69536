#include "models/llama/llama.h"

#include "models/decoder.h"
#include "models/hugging_face/hf_config.h"

namespace trireme::models {
namespace {

constexpr std::string_view kName = "llama";

std::unique_ptr<Model> build(const ModelConfig& config, std::int64_t vocabulary, Part part) {
  DecoderOptions options;
  options.block.attention.set_bias(chosen(config.attention_bias, "attention-bias", kName, {"none", "all"}));
  if (chosen(config.ffn_bias, "ffn-bias", kName, {"no", "yes"}) == "yes")
    options.block.feed_forward.bias = Linear::Bias::kZeros;
  options.block.feed_forward.activation = activation_of(config);
  return make_decoder(config, vocabulary, part, options);
}

void read_config(HfConfig& from, ModelConfig& to) {
  read_decoder_config(from, to, {.kv_heads_may_be_missing = true});
  read_rope(from, to);
  to.attention_bias = from.flag("attention_bias", false) ? "all" : "none";
  to.ffn_bias = from.flag("mlp_bias", false) ? "yes" : "no";
  from.warn_of_dropout({"attention_dropout"});
}

void write_config(const ModelConfig& from, HfConfigWriter& to) {
  write_decoder_config(from, to);
  write_rope(from, to);
  to.set("attention_bias", from.attention_bias == "all");
  to.set("mlp_bias", from.ffn_bias == "yes");
}

HfPlace place(const ModelConfig&, const Parameter& parameter) { return usual_place(parameter); }

}  // namespace

const Family& llama_family() {
  static const Family family{
      .name = kName,
      .keys = {"kv-heads", "head-width", "rope-base", "rope-scaling.", "activation", "attention-bias", "ffn-bias"},
      .activation = ops::Activation::kSilu,
      .build = build,
      .read_config = read_config,
      .write_config = write_config,
      .place = place,
      .architectures = {{"language", "LlamaForCausalLM"},
                        {"classes", "LlamaForSequenceClassification", "score"},
                        {"labels", "LlamaForTokenClassification", "score"}},
      .base_prefix = "model.",
      .not_weights = {".rotary_emb.inv_freq"},
  };
  return family;
}

}  // namespace trireme::models
