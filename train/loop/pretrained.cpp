#include "train/loop/pretrained.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "models/family.h"
#include "models/load.h"
#include "models/model.h"
#include "models/registry.h"

namespace trireme::train {

std::shared_ptr<const models::ModelSource> open_pretrained(Communicator& world, const FinetuneConfig& config) {
  const auto weights = config.weights == "ema" ? models::Weights::kAverage : models::Weights::kCurrent;
  std::unique_ptr<models::ModelSource> source;
  if (world.rank() == 0) source = models::open_source(config.from, {config.step, weights, config.base});
  // A checkpoint of its own from here on: a run that still trains may have newer ones meanwhile.
  const std::string where = world.all_gather_text(source ? source->where() : std::string())[0];
  if (!source) source = models::open_source(where, {.weights = weights, .base = config.base});
  const std::vector<std::string> seen = world.all_gather_text(models::fingerprint(*source));
  for (std::size_t rank = 1; rank < seen.size(); ++rank)
    if (seen[rank] != seen[0])
      throw Error(ErrorCode::kUsage, "ranks 0 and ", rank, " see different models in ", where,
                  ", which finetune.from names; all ranks need the same");
  return source;
}

models::ModelConfig shape_of(const models::ModelSource& source) {
  const auto model = models::model_from_json(source.model_json(), source.where());
  models::ModelConfig config = model->config();
  config.vocabulary = model->vocabulary();
  return config;
}

bool has_new_head(const models::ModelConfig& theirs, const models::ModelConfig& ours) {
  return theirs.head != ours.head || theirs.labels != ours.labels;
}

std::set<std::string> new_parameters(const models::ModelSource& source, const models::ModelConfig& ours) {
  const models::ModelConfig theirs = shape_of(source);
  std::set<std::string> fresh;
  if (!has_new_head(theirs, ours)) return fresh;
  const auto before = models::build_model(theirs, theirs.vocabulary),
             now = models::build_model(ours, theirs.vocabulary);
  for (const models::Parameter& parameter : now->parameters().all()) fresh.insert(parameter.name);
  for (const models::Parameter& parameter : before->parameters().all())
    if (models::group_of(parameter.name) != "head") fresh.erase(parameter.name);
  return fresh;
}

void expect_shape_of(models::ModelConfig theirs, const std::string& where, models::ModelConfig ours) {
  const bool has_rotary = std::ranges::count(models::find_family(theirs.family).keys, "rope-base") > 0;
  const bool any_context = has_rotary && theirs.rope_scaling.type == "none";
  const bool new_head = has_new_head(theirs, ours);
  const FieldList of_theirs = fields_of(theirs), of_ours = fields_of(ours);
  for (std::size_t i = 0; i < of_ours.size(); ++i) {
    const std::string& key = of_ours[i].key;
    if (new_head && (key == "head" || key == "labels" || key == "padding")) continue;
    if (key == "dropout" || (key == "context" && any_context) || key == "lora.dropout") continue;
    if (key.starts_with("lora.") && theirs.lora.rank == 0) continue;  // new adapters
    if (field_text(of_ours[i]) != field_text(of_theirs[i]))
      throw Error(ErrorCode::kUsage, "model.", key, " is ", field_text(of_theirs[i]), " of the model in ", where,
                  ", which finetune.from names, and cannot become ", field_text(of_ours[i]));
  }
}

}  // namespace trireme::train
