#pragma once
#include <string>

#include "core/comm/communicator.h"
#include "train/config/train_config.h"

namespace trireme::train {

/// What a run of this config would be, for people: sizes, shares of the ranks, memory.
std::string training_plan(Communicator& world, const TrainConfig& config);

}  // namespace trireme::train
