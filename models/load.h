#pragma once
#include <memory>
#include <string>

#include "models/checkpoint/checkpoint.h"
#include "models/model.h"

namespace trireme::models {

/// Which of a checkpoint's weights: those that training goes on from, or their moving average (optimizer.ema-decay).
enum class Weights { kCurrent, kAverage };

/// The model of a checkpoint with its weights, in their stored type, for inference.
/// @throws Error kCorrupt, kBadInput when tensors are missing or have another shape, or no average was kept
std::unique_ptr<Model> load_model(const Checkpoint& checkpoint, Weights weights = Weights::kCurrent);

/// WeightsHash of what a model holds; of current weights it is the checkpoint's.
std::string weights_hash(const Model& model);

}  // namespace trireme::models
