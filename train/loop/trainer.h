#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "core/comm/communicator.h"
#include "models/model_source.h"
#include "train/config/train_config.h"

namespace trireme::train {

/// What a run ends with, and what `--json` prints.
struct TrainingResult {
  bool complete = false;  ///< false: stopped on request, state saved, start again to go on
  std::string json;       ///< one object on one line
};

/// What one start of a run is told, beside the run's config.
struct TrainingStart {
  /// "auto": from the newest sound checkpoint if there is one; "never": the run must have none; a number: from the
  /// checkpoint of that step
  std::string resume = "auto";
  /// Seconds from the start of the process in which this start is to save and end; see Deadline.
  std::optional<double> time_limit;
  /// models::RunOwner::newest() of the run, before anything of it was read: a start that has begun since then ends this
  /// one.
  std::int64_t starts_before = 0;
  /// What a run that has no checkpoint yet begins with; null: random weights.
  std::shared_ptr<const models::ModelSource> pretrained{};
};

/// Trains `config` in the directory `run` until its last step, until a stop is asked for or the time limit is near.
/// @throws Error  kUsage, kBadInput, kCorrupt, kIo, kNumeric, kPeerLost
TrainingResult train(Communicator& world, const TrainConfig& config, const std::filesystem::path& run,
                     const TrainingStart& start);

}  // namespace trireme::train
