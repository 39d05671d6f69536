#include "models/phi3/phi3.h"

#include "core/base/error.h"
#include "models/decoder.h"
#include "models/hugging_face/hf_config.h"

namespace trireme::models {
namespace {

constexpr std::string_view kName = "phi3";

std::unique_ptr<Model> build(const ModelConfig& config, std::int64_t vocabulary, Part part) {
  if (const std::string& type = config.rope_scaling.type; type != "none" && type != "longrope")
    throw Error(ErrorCode::kUsage, "model.rope-scaling.type must be none or longrope for family phi3, got ", type);
  DecoderOptions options;
  options.block.feed_forward.activation = activation_of(config);
  return make_decoder(config, vocabulary, part, options);
}

constexpr HfDecoderKeys kKeys{.kv_heads_may_be_missing = true};

void read_config(HfConfig& from, ModelConfig& to) {
  read_decoder_config(from, to, kKeys);
  read_rope(from, to);
  // Of a config.json that does not say.
  if (to.rope_scaling.type == "longrope" && !from.has("original_max_position_embeddings"))
    to.rope_scaling.original_context = 4096;
  read_window(from, to, 0, every_layer(to));
  // Of Phi-4, in their plain form.
  for (const char* key : {"full_attn_mod", "interpolate_factor"}) from.expect(key, 1);
  from.warn_of_dropout({"attention_dropout", "resid_pdrop", "embd_pdrop"});
}

void write_config(const ModelConfig& from, HfConfigWriter& to) {
  write_decoder_config(from, to, kKeys);
  write_rope(from, to, "rope_theta", "partial_rotary_factor");
  to.set("original_max_position_embeddings",
         from.rope_scaling.original_context > 0 ? from.rope_scaling.original_context : from.context);
  to.set("sliding_window", window_json(from));
}

HfPlace place(const ModelConfig& config, const Parameter& parameter) {
  const auto [layer, part] = split_block_name(parameter.name);
  const std::string block = "model.layers." + std::to_string(layer) + ".";
  const std::int64_t queries = config.query_width(), keys = config.key_width();
  const auto of_attention = [&](std::int64_t first) {
    return rows_of_tensor(block + "self_attn.qkv_proj.weight", parameter, queries + 2 * keys, first);
  };
  if (part == "attention.query.weight") return of_attention(0);
  if (part == "attention.key.weight") return of_attention(queries);
  if (part == "attention.value.weight") return of_attention(queries + keys);
  const std::int64_t inner = parameter.shape[0];
  if (part == "feed-forward.gate.weight")
    return rows_of_tensor(block + "mlp.gate_up_proj.weight", parameter, 2 * inner, 0);
  if (part == "feed-forward.up.weight")
    return rows_of_tensor(block + "mlp.gate_up_proj.weight", parameter, 2 * inner, inner);
  return usual_place(parameter);
}

}  // namespace

const Family& phi3_family() {
  static const Family family{
      .name = kName,
      .keys = {"kv-heads", "head-width", "rope-base", "rope-share", "rope-scaling.", "activation", "window"},
      .activation = ops::Activation::kSilu,
      .build = build,
      .read_config = read_config,
      .write_config = write_config,
      .place = place,
      .architectures = {{"language", "Phi3ForCausalLM"},
                        {"classes", "Phi3ForSequenceClassification", "score"},
                        {"labels", "Phi3ForTokenClassification", "score"}},
      .base_prefix = "model.",
      .not_weights = {".rotary_emb.inv_freq"},
  };
  return family;
}

}  // namespace trireme::models
