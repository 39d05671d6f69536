#pragma once
#include <filesystem>
#include <functional>
#include <string>

#include "core/comm/communicator.h"
#include "models/checkpoint/checkpoint.h"

namespace trireme::train {

/// Finds the checkpoint that a run goes on from and hands it to `restore`, on all ranks the same. Damaged ones are
/// passed over by name and set aside; those of a later timeline that the run leaves are removed.
///
/// @param resume     "auto", "never" or a step; see TrainingStart
/// @param keep_best  so many of the best are not removed with a timeline that the run leaves
/// @param restore    reads it; may throw kCorrupt, kNotFound or kIo, and is then called with the one before
/// @returns          false when there is none: the run starts anew
/// @throws Error     kUsage for a resume that cannot be, kCorrupt when every checkpoint is damaged
bool restore_run(Communicator& world, const std::filesystem::path& run, const std::string& resume,
                 std::int64_t keep_best, const std::function<void(const models::Checkpoint&)>& restore);

}  // namespace trireme::train
