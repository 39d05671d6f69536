#include "models/model.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/config/json.h"
#include "models/family.h"
#include "models/kernels/ops.h"
#include "models/registry.h"

namespace trireme::models {

Model::Model(ModelConfig config, std::int64_t vocabulary, Part part)
    : config_(std::move(config)), vocabulary_(vocabulary), part_{part.first, std::min(part.last, config_.layers)} {
  if (part_.first < 0 || part_.first >= part_.last)
    throw Error(ErrorCode::kBug, "a part of a model has layers ", part_.first, " to ", part_.last);
  const auto require = [](bool ok, const auto&... message) {
    if (!ok) throw Error(ErrorCode::kUsage, message...);
  };
  constexpr std::int64_t kMostExperts = std::int64_t{1} << 18;
  require(config_.layers * std::max<std::int64_t>(1, config_.experts.count) <= kMostExperts,
          "model.layers times model.experts.count must be at most ", kMostExperts, ", got ", config_.layers, " and ",
          config_.experts.count);
  require(vocabulary >= 1, "the vocabulary must hold at least one token, got ", vocabulary);
  require(config_.head_width > 0 || config_.width % config_.heads == 0, "model.heads must divide model.width, got ",
          config_.heads, " heads for width ", config_.width);
  require(config_.heads % config_.kv_heads_or_default() == 0, "model.kv-heads must divide model.heads, got ",
          config_.kv_heads, " for heads ", config_.heads);
  constexpr std::size_t kMostLabels = 1 << 16;
  require(!config_.classifies() || (config_.labels.size() >= 2 && config_.labels.size() <= kMostLabels),
          "model.labels must name 2 to ", kMostLabels, " for model.head ", config_.head, ", got ",
          config_.labels.size());
}

const Parameter* Model::add_embedding(Init init) {
  if (begins() || (ends() && config_.ties_head()))
    embedding_ = &parameters_.add("embedding.weight", {vocabulary_, config_.width}, init, Role::kTable);
  return embedding_;
}

void Model::add_head(Init init, bool bias) {
  if (!ends() || config_.head == "none") return;
  const std::int64_t scores = config_.classifies() ? static_cast<std::int64_t>(config_.labels.size()) : vocabulary_;
  head_ = config_.ties_head() ? &parameters_.add_tied("head.weight", *embedding_, Role::kMatrix)
                              : &parameters_.add("head.weight", {scores, config_.width}, init, Role::kMatrix);
  if (bias && config_.classifies()) head_bias_ = &parameters_.add("head.bias", {scores}, Init::zeros(), Role::kBias);
}

double Model::training_flops_per_token(std::int64_t sequence_length) const {
  double operations = 0;
  for (const Parameter& parameter : parameters_.all())
    // A tied head multiplies, and counts through its own entry.
    operations += parameter.training_flops();
  const double seen = kind_of(config_) == Family::Kind::kDecoder ? 6 : 12;
  return operations + seen * static_cast<double>(config_.layers) * static_cast<double>(config_.query_width()) *
                          static_cast<double>(sequence_length);
}

at::Tensor Model::encode(const at::Tensor&, const ForwardPass&) {
  throw Error(ErrorCode::kBug, "a model of family ", config_.family, " has no encoder");
}

std::int64_t Model::class_place(std::span<const std::int64_t> ids) const {
  if (kind_of(config_) == Family::Kind::kEncoder) return 0;
  auto place = static_cast<std::int64_t>(ids.size()) - 1;
  while (place > 0 && ids[static_cast<std::size_t>(place)] == config_.padding) --place;
  return place;
}

const Parameter& Model::head() const {
  if (!head_) throw Error(ErrorCode::kBug, "a model of family ", config_.family, " without a head is asked for scores");
  return *head_;
}

at::Tensor logits(const Model& model, const at::Tensor& hidden_btc) {
  const Parameter* const bias = model.head_bias();
  const at::Tensor scores =
      ops::linear(model.before_head(hidden_btc), model.head().value, bias ? std::optional(bias->value) : std::nullopt);
  return model.config().classifies() ? scores : ops::softly_capped(scores, model.config().logit_softcap);
}

std::string model_json(const ModelConfig& config, std::int64_t vocabulary) {
  ModelConfig copy = config;
  copy.vocabulary = 0;  // what follows says it
  nlohmann::json object = to_json(fields_of(copy));
  object["vocabulary"] = vocabulary;
  return object.dump();
}

namespace {

std::pair<ModelConfig, std::int64_t> parsed_model(const std::string& json, const std::string& origin) {
  nlohmann::json object = nlohmann::json::parse(json);
  const auto vocabulary = object.at("vocabulary").get<std::int64_t>();
  object.erase("vocabulary");
  ModelConfig config;
  from_json(object, fields_of(config), origin);
  return {config, vocabulary};
}

}  // namespace

bool is_same_model(const std::string& a, const std::string& b) {
  const auto [config_a, vocabulary_a] = parsed_model(a, "a model");
  const auto [config_b, vocabulary_b] = parsed_model(b, "a model");
  return model_json(config_a, vocabulary_a) == model_json(config_b, vocabulary_b);
}

std::unique_ptr<Model> model_from_json(const std::string& json, const std::string& origin) {
  try {
    const auto [config, vocabulary] = parsed_model(json, origin);
    return build_model(config, vocabulary);
  } catch (const nlohmann::json::exception& error) {
    throw Error(ErrorCode::kBadInput, "the model of ", origin, " cannot be read: ", error.what());
  }
}

}  // namespace trireme::models
