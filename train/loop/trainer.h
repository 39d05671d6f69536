#pragma once
#include <filesystem>
#include <memory>
#include <string>

#include "core/comm/communicator.h"
#include "train/config/train_config.h"

namespace trireme::train {

/// What a run ends with, and what `--json` prints.
struct TrainingResult {
  bool complete = false;  ///< false: stopped on request, state saved, start again to go on
  std::string json;       ///< one object on one line
};

/// Trains `config` in the directory `run` until its last step, or until a stop is asked for.
///
/// @param resume  "auto": from the newest sound checkpoint if there is one; "never": the run must have none; a number:
///                from the checkpoint of that step
/// @throws Error  kUsage, kBadInput, kCorrupt, kIo, kNumeric, kPeerLost
TrainingResult train(Communicator& world, const TrainConfig& config, const std::filesystem::path& run,
                     const std::string& resume);

}  // namespace trireme::train
