#pragma once
#include <memory>
#include <set>
#include <string>

#include "core/comm/communicator.h"
#include "core/config/sources.h"
#include "models/model_source.h"
#include "train/config/train_config.h"

namespace trireme::train {

/// Opens the model that a run begins with (finetune.from). Called by all ranks: of a run, one of them chooses the
/// checkpoint. @throws Error kUsage, kNotFound, kCorrupt, kBadInput
std::shared_ptr<const models::ModelSource> open_pretrained(Communicator& world, const FinetuneConfig& config);

/// Whether a run of this shape gives the model another head than it has: that one begins with random weights.
bool has_new_head(const models::ModelConfig& theirs, const models::ModelConfig& ours);

/// The parameters of such a run that the model has not: those of a new head.
std::set<std::string> new_parameters(const models::ModelSource& source, const models::ModelConfig& ours);

/// The shape of a model on disk, as model.* of a run that begins with it.
models::ModelConfig shape_of(const models::ModelSource& source);

/// That a config has the shape of the model in `where`, with which it begins. What of it may be another is dropout, its
/// head, which is a new one then, adapters (model.lora) where it has none, and, with rotary positions that are not
/// scaled, the context. @throws Error kUsage naming the key and both values
void expect_shape_of(models::ModelConfig theirs, const std::string& where, models::ModelConfig ours);

}  // namespace trireme::train
