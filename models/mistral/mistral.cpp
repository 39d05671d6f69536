#include "models/mistral/mistral.h"

#include "models/decoder.h"
#include "models/hugging_face/hf_config.h"

namespace trireme::models {
namespace {

constexpr std::string_view kName = "mistral";

constexpr std::int64_t kDefaultWindow = 4096;  // of a config.json that does not say

std::unique_ptr<Model> build(const ModelConfig& config, std::int64_t vocabulary, Part part) {
  DecoderOptions options;
  options.block.feed_forward.activation = activation_of(config);
  return make_decoder(config, vocabulary, part, options);
}

void read_config(HfConfig& from, ModelConfig& to) {
  read_decoder_config(from, to);
  read_rope(from, to);
  read_window(from, to, kDefaultWindow, every_layer(to));
  from.warn_of_dropout({"attention_dropout"});
}

void write_config(const ModelConfig& from, HfConfigWriter& to) {
  write_decoder_config(from, to);
  write_rope(from, to);
  to.set("sliding_window", window_json(from));
}

HfPlace place(const ModelConfig&, const Parameter& parameter) { return usual_place(parameter); }

}  // namespace

const Family& mistral_family() {
  static const Family family{
      .name = kName,
      .keys = {"kv-heads", "head-width", "rope-base", "rope-scaling.", "activation", "window"},
      .activation = ops::Activation::kSilu,
      .build = build,
      .read_config = read_config,
      .write_config = write_config,
      .place = place,
      .architectures = {{"language", "MistralForCausalLM"},
                        {"classes", "MistralForSequenceClassification", "score"},
                        {"labels", "MistralForTokenClassification", "score"}},
      .base_prefix = "model.",
      .not_weights = {".rotary_emb.inv_freq"},
  };
  return family;
}

}  // namespace trireme::models
