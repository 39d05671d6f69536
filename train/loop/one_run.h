#pragma once
#include <filesystem>
#include <string>

#include "core/comm/communicator.h"
#include "train/config/train_config.h"

namespace trireme::train {

/// Ranks that differ would train apart without a word, or wait for each other for ever. Each reads its own files and
/// environment, and over several nodes those need not be the same. Called by all ranks.
///
/// @param told  lines of "what: value" about data and start, compared beside config, checkpoints and program; the paths
///              of data may differ
/// @throws Error kUsage with the first line that differs
void expect_one_run(Communicator& world, TrainConfig config, const std::filesystem::path& run, const std::string& told);

}  // namespace trireme::train
