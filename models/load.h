#pragma once
#include <memory>

#include "models/checkpoint/checkpoint.h"
#include "models/model.h"

namespace trireme::models {

/// The model of a checkpoint with its weights, in their stored type, for inference.
/// @throws Error kCorrupt, kBadInput when tensors are missing or have another shape
std::unique_ptr<Model> load_model(const Checkpoint& checkpoint);

}  // namespace trireme::models
