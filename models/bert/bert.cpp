#include "models/bert/bert.h"

#include "core/base/error.h"
#include "models/encoder.h"
#include "models/hugging_face/hf_config.h"

namespace trireme::models {
namespace {

constexpr std::string_view kName = "bert";

std::unique_ptr<Model> build(const ModelConfig& config, std::int64_t vocabulary, Part part) {
  ModelConfig own = config;
  if (own.token_types == 0) own.token_types = 2;
  if (!own.tie_embeddings)
    throw Error(
        ErrorCode::kUsage,
        "model.tie-embeddings must be true for family bert, whose output matrix, where it has one, is its embedding");
  Block::Options block;
  block.norm = Norm::Kind::kLayer;
  block.post_norm = true;
  block.attention.set_bias("all");
  block.feed_forward = {.gated = false, .activation = activation_of(config), .bias = Linear::Bias::kZeros};
  return make_encoder(own, vocabulary, part, block);
}

constexpr HfDecoderKeys kKeys{.kv_heads = false, .head_width = false, .gated = false, .norm_epsilon = "layer_norm_eps"};

void read_config(HfConfig& from, ModelConfig& to) {
  read_decoder_config(from, to, kKeys);
  if (from.is_missing("hidden_act")) to.activation = "gelu";
  to.token_types = from.integer("type_vocab_size", 2);
  to.tie_embeddings = true;
  if (to.head == "language") from.expect("tie_word_embeddings", true);
  // What its pooler is in another library, and which way it reads.
  from.ignore({"tie_word_embeddings", "gradient_checkpointing", "directionality", "pooler_fc_size",
               "pooler_num_attention_heads", "pooler_num_fc_layers", "pooler_size_per_head", "pooler_type"});
  from.expect("position_embedding_type", "absolute");
  from.expect("is_decoder", false);
  from.expect("add_cross_attention", false);
  const double rates[] = {from.number("hidden_dropout_prob", 0.1), from.number("attention_probs_dropout_prob", 0.1)};
  if (rates[0] == rates[1])
    to.dropout = rates[0];
  else
    from.warn_of_dropout({"hidden_dropout_prob", "attention_probs_dropout_prob"});
  if (from.has("classifier_dropout") && from.number("classifier_dropout") != to.dropout)
    from.warn_of_dropout({"classifier_dropout"});
  from.ignore({"classifier_dropout"});
}

void write_config(const ModelConfig& from, HfConfigWriter& to) {
  write_decoder_config(from, to, kKeys);
  to.set("type_vocab_size", from.token_types);
  to.set("tie_word_embeddings", from.tie_embeddings);
  for (const char* key : {"hidden_dropout_prob", "attention_probs_dropout_prob"}) to.set(key, from.dropout);
}

HfPlace place(const ModelConfig& config, const Parameter& parameter) {
  constexpr std::pair<std::string_view, std::string_view> kOfBase[] = {
      {"embedding", "embeddings.word_embeddings"},
      {"position-embedding", "embeddings.position_embeddings"},
      {"type-embedding", "embeddings.token_type_embeddings"},
      {"embedding-norm", "embeddings.LayerNorm"},
      {"pooler", "pooler.dense"}};
  constexpr std::pair<std::string_view, std::string_view> kOfHead[] = {
      {"head-transform", "cls.predictions.transform.dense"},
      {"head-norm", "cls.predictions.transform.LayerNorm"},
      {"head", "cls.predictions.decoder"},
      {"head-bias", "cls.predictions"}};
  constexpr std::pair<std::string_view, std::string_view> kOfBlocks[] = {
      {"attention.query", "attention.self.query"},
      {"attention.key", "attention.self.key"},
      {"attention.value", "attention.self.value"},
      {"attention.output", "attention.output.dense"},
      {"attention-norm", "attention.output.LayerNorm"},
      {"feed-forward.up", "intermediate.dense"},
      {"feed-forward.down", "output.dense"},
      {"feed-forward-norm", "output.LayerNorm"}};
  const auto [layer, part] = split_block_name(parameter.name);
  const std::size_t dot = part.rfind('.');
  const std::string kind(part.substr(dot));
  const std::string base = config.head == "none" ? "" : "bert.";
  const auto named = [&](const auto& table, const std::string& start) -> std::optional<HfPlace> {
    for (const auto& [ours, theirs] : table)
      if (ours == part.substr(0, dot)) return whole_tensor(start + std::string(theirs) + kind, parameter);
    return std::nullopt;
  };
  const auto found =
      layer >= 0 ? named(kOfBlocks, base + "encoder.layer." + std::to_string(layer) + ".") : named(kOfBase, base);
  if (found) return *found;
  if (const auto of_head = named(kOfHead, "")) return *of_head;
  throw Error(ErrorCode::kBug, "no name of ", parameter.name, " in family bert");
}

}  // namespace

const Family& bert_family() {
  static const Family family{
      .name = kName,
      .keys = {"activation", "token-types"},
      .activation = ops::Activation::kGelu,
      .build = build,
      .read_config = read_config,
      .write_config = write_config,
      .place = place,
      .architectures = {{"none", "BertModel"},
                        {"language", "BertForMaskedLM"},
                        {"classes", "BertForSequenceClassification", "classifier"},
                        {"labels", "BertForTokenClassification", "classifier"}},
      .base_prefix = "bert.",
      .renamed = {{"LayerNorm.weight", "LayerNorm.gamma"},
                  {"LayerNorm.bias", "LayerNorm.beta"},
                  {"cls.predictions.bias", "cls.predictions.decoder.bias"}},
      .not_weights = {"embeddings.position_ids"},
      .copies = {{"cls.predictions.decoder.bias", "cls.predictions.bias"}},
      .of_other_heads = {"cls.", "pooler.", "bert.pooler.", "classifier."},
      .kind = Family::Kind::kEncoder,
  };
  return family;
}

}  // namespace trireme::models
