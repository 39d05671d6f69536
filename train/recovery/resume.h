#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/comm/communicator.h"
#include "models/checkpoint/run_checkpoints.h"

namespace trireme::train {

/// What a run goes on from.
struct ResumePoint {
  std::optional<std::int64_t> step;  ///< nothing: it starts anew
  std::vector<std::int64_t> seen;    ///< the checkpoints that it was chosen among
  bool by_choice = false;            ///< asked for; later ones are of a timeline that the run leaves
};

/// Finds the checkpoint that a run goes on from and hands it to `restore`, on all ranks the same. Damaged and
/// incomplete ones are passed over by name. With what `restore` reads on all ranks together, every byte of the one that
/// is taken has been checked. Changes nothing in the run, which another start may still be saving: where checkpoints
/// come or go meanwhile, it looks again.
///
/// @param resume     "auto", "never" or a step; see TrainingStart
/// @param fall_back  false: damage is an error
/// @param restore    reads it; may throw kCorrupt or kNotFound, and is then called with the one before
/// @throws Error     kUsage for a resume that cannot be, kCorrupt when every checkpoint is damaged
ResumePoint restore_run(Communicator& world, const std::filesystem::path& run, const std::string& resume,
                        bool fall_back, const std::function<void(const models::Checkpoint&)>& restore);

/// Removes what is of a timeline that the run leaves, and sets damaged checkpoints aside.
void settle(const models::RunOwner& owner, const ResumePoint& point, const models::Retention& retention);

}  // namespace trireme::train
