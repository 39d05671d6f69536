#pragma once
#include <filesystem>

#include "models/checkpoint/write_checkpoint.h"

namespace trireme::models {

/// Writes a checkpoint that holds the weights of another one alone, for serving and sharing: a third of its size or
/// less. Of the current weights it has the same weights_hash. Holds a slice in memory at a time.
/// @param average  their moving average instead, as weights
/// @throws Error kUsage when `to` exists; kBadInput when no average was kept; kCorrupt, kIo
Committed export_weights(const Checkpoint& from, const std::filesystem::path& to, bool average);

}  // namespace trireme::models
