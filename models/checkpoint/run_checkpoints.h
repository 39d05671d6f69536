#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "models/checkpoint/checkpoint.h"
#include "models/checkpoint/run_owner.h"

/// The checkpoints of a run, RUN/checkpoints/step-00000200: which there are, which stay, which one is opened.
namespace trireme::models {

/// Steps that a run has committed, ascending; none when it has no checkpoints.
std::vector<std::int64_t> checkpoint_steps(const std::filesystem::path& run);
/// run/checkpoints/step-00000200
std::filesystem::path checkpoint_path(const std::filesystem::path& run, std::int64_t step);

/// The validation loss of exactly these weights, as the trainer wrote it into the checkpoint; nothing when it did not
/// evaluate at this step.
std::optional<double> evaluated_loss(const Checkpoint& checkpoint);
struct EvaluatedStep {
  std::int64_t step;
  double loss;
};
/// The evaluated checkpoints of a run, lowest loss first, of equal ones the newest. Those that do not open are left
/// out.
std::vector<EvaluatedStep> best_checkpoints(const std::filesystem::path& run);

/// Which checkpoints stay.
struct Retention {
  std::int64_t newest = 0;  ///< so many of the newest; 0: all
  std::int64_t best = 0;    ///< beside them so many of the lowest validation loss
  std::int64_t every = 0;   ///< and the steps that are multiples of this; 0: none
};
/// Removes all others. Only checkpoints that open count, so that damaged ones never push out the last that can be used.
/// What cannot be removed is named in a warning. @throws Error kTakenOver
void prune_checkpoints(const RunOwner& owner, const Retention& retention);
/// Removes the checkpoints of later steps, newest first, for a run that goes on from `step` by choice: left there, the
/// next start would take up the timeline that was given up. Those that retention keeps for ever are not deleted but get
/// another name ("step-00000100.left-1700000000"). What cannot be removed is named in a warning.
void remove_checkpoints_after(const RunOwner& owner, std::int64_t step, const Retention& retention);
/// Gives checkpoints of steps after `step` another name ("step-00000100.damaged-1700000000"): they were found damaged,
/// and a run that goes on before them must neither count them as kept nor come back to them. Nothing is deleted.
/// @throws Error kIo, kTakenOver
void set_aside_checkpoints_after(const RunOwner& owner, std::int64_t step);

/// The checkpoints that MODEL names: that directory itself, or those of a run, oldest first, sound or not.
/// @throws Error kNotFound when it is neither
std::vector<std::filesystem::path> checkpoint_directories(const std::filesystem::path& model);

/// Opens what a user calls MODEL: a checkpoint directory, or a run: then its newest sound checkpoint, with damaged ones
/// named in a warning and passed over. Sound means that every byte of every file was read and holds, since a reader
/// that meets damage later can no longer choose another. Of many ranks let one choose and tell the others the
/// directory.
/// @param step  of a run: "newest", "best" (the lowest validation loss) or a step; the first two pass over damage
/// @throws Error kNotFound, kCorrupt, with what was looked at; kUsage for another `step`
Checkpoint open_model(const std::filesystem::path& model, const std::string& step = "newest");

}  // namespace trireme::models
