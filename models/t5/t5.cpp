#include "models/t5/t5.h"

#include "core/base/error.h"
#include "models/encoder_decoder.h"
#include "models/hugging_face/hf_config.h"

namespace trireme::models {
namespace {

constexpr std::string_view kName = "t5";
constexpr std::int64_t kAnyContext = 1 << 16;  // it has none

bool is_gated(const ModelConfig& config) { return chosen(config.ffn_gate, "ffn-gate", kName, {"no", "yes"}) == "yes"; }

// What a config that does not say means.
ModelConfig completed(ModelConfig config) {
  if (config.encoder_layers == 0) config.encoder_layers = config.layers;
  if (config.relative_buckets == 0) config.relative_buckets = 32;
  if (config.relative_distance == 0) config.relative_distance = 128;
  return config;
}

std::unique_ptr<Model> build(const ModelConfig& config, std::int64_t vocabulary, Part part) {
  Block::Options block;
  block.attention.rule.scale = 1;
  block.feed_forward.gated = is_gated(config);
  block.feed_forward.activation = activation_of(config);
  return make_encoder_decoder(completed(config), vocabulary, part, block);
}

void read_config(HfConfig& from, ModelConfig& to) {
  to.encoder_layers = from.layers("num_layers");
  to.layers = from.has("num_decoder_layers") ? from.layers("num_decoder_layers") : to.encoder_layers;
  to.width = from.integer("d_model");
  to.heads = from.integer("num_heads");
  to.head_width = from.integer("d_kv");
  to.ffn = from.integer("d_ff");
  to.context = from.integer("n_positions", kAnyContext);
  to.norm_epsilon = from.number("layer_norm_epsilon", 1e-6);
  to.relative_buckets = from.integer("relative_attention_num_buckets", 32);
  to.relative_distance = from.integer("relative_attention_max_distance", 128);
  to.tie_embeddings = from.flag("tie_word_embeddings", true);
  // Of newer files: in older ones the other key says both.
  to.head_scale = from.flag("scale_decoder_outputs", to.tie_embeddings) ? "yes" : "no";
  const std::string feed = from.text("feed_forward_proj", "relu");
  if (feed != "relu" && feed != "gated-gelu")
    from.fail("feed_forward_proj", "must be relu or gated-gelu, got '" + feed + "'");
  to.ffn_gate = feed == "relu" ? "no" : "yes";
  to.activation = feed == "relu" ? "relu" : "gelu-tanh";
  to.dropout = from.number("dropout_rate", 0.1);
  from.expect("is_encoder_decoder", true);
  from.expect("is_decoder", false);
  from.expect("dense_act_fn", feed == "relu" ? "relu" : "gelu_new");
  from.expect("is_gated_act", feed != "relu");
  from.ignore({"initializer_factor", "classifier_dropout", "output_past", "n_positions"});
}

void write_config(const ModelConfig& config, HfConfigWriter& to) {
  const ModelConfig from = completed(config);
  to.set("num_layers", from.encoder_layers);
  to.set("num_decoder_layers", from.layers);
  to.set("d_model", from.width);
  to.set("num_heads", from.heads);
  to.set("d_kv", from.head_width_or_default());
  to.set("d_ff", FeedForward::inner_width(from, is_gated(from)));
  to.set("n_positions", from.context);
  to.set("layer_norm_epsilon", from.norm_epsilon);
  to.set("relative_attention_num_buckets", from.relative_buckets);
  to.set("relative_attention_max_distance", from.relative_distance);
  to.set("tie_word_embeddings", from.tie_embeddings);
  to.set("scale_decoder_outputs", from.head_scale == "auto" ? from.tie_embeddings : from.head_scale == "yes");
  to.set("feed_forward_proj", is_gated(from) ? "gated-gelu" : "relu");
  to.set("dropout_rate", from.dropout);
  to.set("is_encoder_decoder", true);
}

HfPlace place(const ModelConfig& config, const Parameter& parameter) {
  constexpr std::string_view kEncoder = "encoder.";
  const bool of_encoder = parameter.name.starts_with(kEncoder);
  const std::string_view name = std::string_view(parameter.name).substr(of_encoder ? kEncoder.size() : 0);
  const std::string side = of_encoder ? "encoder." : "decoder.";
  if (name == "embedding.weight") return whole_tensor("shared.weight", parameter);
  if (name == "head.weight") return whole_tensor("lm_head.weight", parameter);
  if (name == "norm.weight") return whole_tensor(side + "final_layer_norm.weight", parameter);
  if (name == "relative-bias.weight")
    return whole_tensor(side + "block.0.layer.0.SelfAttention.relative_attention_bias.weight", parameter);
  const auto [layer, part] = split_block_name(name);
  const std::string block = side + "block." + std::to_string(layer) + ".layer.";
  const std::string feed = block + (of_encoder ? "1." : "2.");
  const std::pair<std::string_view, std::string> known[] = {
      {"attention-norm.weight", block + "0.layer_norm"},
      {"attention.query.weight", block + "0.SelfAttention.q"},
      {"attention.key.weight", block + "0.SelfAttention.k"},
      {"attention.value.weight", block + "0.SelfAttention.v"},
      {"attention.output.weight", block + "0.SelfAttention.o"},
      {"cross-attention-norm.weight", block + "1.layer_norm"},
      {"cross-attention.query.weight", block + "1.EncDecAttention.q"},
      {"cross-attention.key.weight", block + "1.EncDecAttention.k"},
      {"cross-attention.value.weight", block + "1.EncDecAttention.v"},
      {"cross-attention.output.weight", block + "1.EncDecAttention.o"},
      {"feed-forward-norm.weight", feed + "layer_norm"},
      {"feed-forward.gate.weight", feed + "DenseReluDense.wi_0"},
      {"feed-forward.up.weight", feed + (is_gated(config) ? "DenseReluDense.wi_1" : "DenseReluDense.wi")},
      {"feed-forward.down.weight", feed + "DenseReluDense.wo"}};
  for (const auto& [ours, theirs] : known)
    if (ours == part) return whole_tensor(theirs + ".weight", parameter);
  throw Error(ErrorCode::kBug, "no name of ", parameter.name, " in family t5");
}

}  // namespace

const Family& t5_family() {
  static const Family family{
      .name = kName,
      .keys = {"head-width", "activation", "ffn-gate", "head-scale", "encoder-layers", "relative-buckets",
               "relative-distance"},
      .activation = ops::Activation::kRelu,
      .build = build,
      .read_config = read_config,
      .write_config = write_config,
      .place = place,
      .architectures = {{"language", "T5ForConditionalGeneration"}},
      .base_prefix = "",
      .not_weights = {"decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"},
      .copies = {{"encoder.embed_tokens.weight", "shared.weight"}, {"decoder.embed_tokens.weight", "shared.weight"}},
      .kind = Family::Kind::kEncoderDecoder,
  };
  return family;
}

}  // namespace trireme::models
