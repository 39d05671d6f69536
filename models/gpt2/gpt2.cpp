#include "models/gpt2/gpt2.h"

#include "core/base/error.h"
#include "core/base/text.h"
#include "models/decoder.h"
#include "models/hugging_face/hf_config.h"

namespace trireme::models {
namespace {

constexpr std::string_view kName = "gpt2";

std::unique_ptr<Model> build(const ModelConfig& config, std::int64_t vocabulary, Part part) {
  if (config.kv_heads_or_default() != config.heads)
    throw Error(ErrorCode::kUsage, "model.kv-heads must be 0 or model.heads for family gpt2, which shares none; got ",
                config.kv_heads, " for heads ", config.heads);
  if (config.attention_scale != 0 && config.attention_scale != 1)
    throw Error(ErrorCode::kUsage, "model.attention-scale must be 0 or 1 for family gpt2, got ",
                to_text(config.attention_scale));
  DecoderOptions options;
  options.learned_positions = true;
  options.block.norm = Norm::Kind::kLayer;
  options.block.attention.set_bias("all");
  options.block.feed_forward = {.gated = false, .activation = activation_of(config), .bias = Linear::Bias::kZeros};
  return make_decoder(config, vocabulary, part, options);
}

void read_config(HfConfig& from, ModelConfig& to) {
  to.layers = from.layers("n_layer");
  to.width = from.integer("n_embd");
  to.heads = from.integer("n_head");
  to.context = from.integer("n_positions");
  to.ffn = from.integer("n_inner", 4 * to.width);
  to.norm_epsilon = from.number("layer_norm_epsilon");
  to.activation = read_activation(from, "activation_function", "gelu_new");
  to.tie_embeddings = from.flag("tie_word_embeddings", true);
  if (!from.flag("scale_attn_weights", true)) to.attention_scale = 1;
  to.attention_scale_by_layer = from.flag("scale_attn_by_inverse_layer_idx", false);
  from.expect("add_cross_attention", false);
  if (to.head == "labels") from.warn_of_dropout({"classifier_dropout", "hidden_dropout"});
  // How it is computed, and a head that is no language model's.
  from.ignore({"reorder_and_upcast_attn", "n_ctx", "summary_type", "summary_use_proj", "summary_activation",
               "summary_proj_to_labels", "summary_first_dropout"});
  const double rates[] = {from.number("resid_pdrop", 0.1), from.number("embd_pdrop", 0.1),
                          from.number("attn_pdrop", 0.1)};
  if (rates[0] == rates[1] && rates[0] == rates[2])
    to.dropout = rates[0];
  else
    from.warn_of_dropout({"resid_pdrop", "embd_pdrop", "attn_pdrop"});
}

void write_config(const ModelConfig& from, HfConfigWriter& to) {
  to.set("n_layer", from.layers);
  to.set("n_embd", from.width);
  to.set("n_head", from.heads);
  to.set("n_positions", from.context);
  to.set("n_inner", FeedForward::inner_width(from, /*gated=*/false));
  to.set("layer_norm_epsilon", from.norm_epsilon);
  // The name that its published files have.
  to.set("activation_function", activation_of(from) == ops::Activation::kGeluTanh ? "gelu_new" : hf_activation(from));
  to.set("tie_word_embeddings", from.tie_embeddings);
  to.set("scale_attn_weights", from.attention_scale != 1);
  to.set("scale_attn_by_inverse_layer_idx", from.attention_scale_by_layer);
  for (const char* key : {"resid_pdrop", "embd_pdrop", "attn_pdrop"}) to.set(key, from.dropout);
}

// Their matrices are [inputs, outputs].
HfPlace transposed(std::string tensor, const Parameter& parameter, std::int64_t outputs, std::int64_t first) {
  const std::int64_t inputs = parameter.shape[1];
  return {std::move(tensor), {inputs, outputs}, first, parameter.shape[0], outputs, true};
}

HfPlace place(const ModelConfig& config, const Parameter& parameter) {
  const auto [layer, part] = split_block_name(parameter.name);
  const std::size_t dot = part.rfind('.');
  const std::string_view what = part.substr(0, dot);
  const std::string kind(part.substr(dot));
  constexpr std::pair<std::string_view, std::string_view> kWhole[] = {{"embedding", "transformer.wte"},
                                                                      {"position-embedding", "transformer.wpe"},
                                                                      {"norm", "transformer.ln_f"},
                                                                      {"head", "lm_head"}};
  if (layer < 0)
    for (const auto& [ours, theirs] : kWhole)
      if (ours == what) return whole_tensor(std::string(theirs) + kind, parameter);
  const std::string block = "transformer.h." + std::to_string(layer) + ".";
  if (what == "attention-norm") return whole_tensor(block + "ln_1" + kind, parameter);
  if (what == "feed-forward-norm") return whole_tensor(block + "ln_2" + kind, parameter);
  const bool is_matrix = kind == ".weight";
  const auto projection = [&](const char* name) {
    return is_matrix ? transposed(block + name + kind, parameter, parameter.shape[0], 0)
                     : whole_tensor(block + name + kind, parameter);
  };
  if (what == "attention.output") return projection("attn.c_proj");
  if (what == "feed-forward.up") return projection("mlp.c_fc");
  if (what == "feed-forward.down") return projection("mlp.c_proj");
  // Queries, keys and values lie side by side.
  const std::int64_t which = what == "attention.query" ? 0 : what == "attention.key" ? 1 : 2;
  const std::string name = block + "attn.c_attn" + kind;
  return is_matrix ? transposed(name, parameter, 3 * config.width, which * config.width)
                   : rows_of_tensor(name, parameter, 3 * config.width, which * config.width);
}

}  // namespace

const Family& gpt2_family() {
  static const Family family{
      .name = kName,
      .keys = {"kv-heads", "activation", "attention-scale", "attention-scale-by-layer"},
      .activation = ops::Activation::kGeluTanh,
      .build = build,
      .read_config = read_config,
      .write_config = write_config,
      .place = place,
      .architectures = {{"language", "GPT2LMHeadModel"},
                        {"classes", "GPT2ForSequenceClassification", "score"},
                        {"labels", "GPT2ForTokenClassification", "classifier"}},
      .base_prefix = "transformer.",
      .not_weights = {".attn.bias", ".attn.masked_bias"},
  };
  return family;
}

}  // namespace trireme::models
