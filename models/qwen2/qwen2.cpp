#include "models/qwen2/qwen2.h"

#include "models/decoder.h"
#include "models/hugging_face/hf_config.h"
#include "models/hugging_face/qwen_window.h"

namespace trireme::models {
namespace {

constexpr std::string_view kName = "qwen2";

std::unique_ptr<Model> build(const ModelConfig& config, std::int64_t vocabulary, Part part) {
  DecoderOptions options;
  options.block.attention.set_bias("inputs");
  options.block.feed_forward.activation = activation_of(config);
  return make_decoder(config, vocabulary, part, options);
}

void read_config(HfConfig& from, ModelConfig& to) {
  read_decoder_config(from, to);
  read_rope(from, to);
  read_qwen_window(from, to);
  from.warn_of_dropout({"attention_dropout"});
}

void write_config(const ModelConfig& from, HfConfigWriter& to) {
  write_decoder_config(from, to);
  write_rope(from, to);
  write_qwen_window(from, to);
}

HfPlace place(const ModelConfig&, const Parameter& parameter) { return usual_place(parameter); }

}  // namespace

const Family& qwen2_family() {
  static const Family family{
      .name = kName,
      .keys = {"kv-heads", "head-width", "rope-base", "rope-scaling.", "activation", "window", "window-layers"},
      .activation = ops::Activation::kSilu,
      .build = build,
      .read_config = read_config,
      .write_config = write_config,
      .place = place,
      .architectures = {{"language", "Qwen2ForCausalLM"},
                        {"classes", "Qwen2ForSequenceClassification", "score"},
                        {"labels", "Qwen2ForTokenClassification", "score"}},
      .base_prefix = "model.",
      .not_weights = {".rotary_emb.inv_freq"},
  };
  return family;
}

}  // namespace trireme::models
