#pragma once
#include <string>
#include <vector>

#include "tune/sweep/command.h"
#include "tune/sweep/sweep.h"

namespace trireme::tune {

/// The programs that training jobs need.
struct TrainingPrograms {
  std::string trainer;   ///< trireme-train
  std::string launcher;  ///< scripts/launch/mpi, or what takes `-n RANKS PROGRAM ...` like it

  /// What is not given is looked for: trireme-train beside our own program; scripts/launch/mpi in the folder of our
  /// program and those above it, and where there is none, mpirun by PATH.
  static TrainingPrograms find(const std::string& trainer, const std::string& launcher);
};

/// The words that start a trial of a sweep with `base`: trireme-train, under the launcher when it has several ranks.
/// The trial's folder is its run, so that another attempt goes on from the newest checkpoint.
/// @param cores  that it is pinned to: with fewer of them than ranks the launcher has to be told
std::vector<std::string> training_command(const Sweep& sweep, const TrainingPrograms& programs,
                                          const CommandContext& context, std::size_t cores);

/// Holds a sweep with `base` against the trainer's keys before anything is started: that each parameter is one of them,
/// that it takes the parameter's choices or both ends of its range, and that the base file can be read. What keys mean
/// for one another is left to trireme-train. Nothing to do for other sweeps.
/// @throws Error kUsage with the nearest key, or the value and what is allowed; kNotFound: no base file
void check_training_sweep(const Sweep& sweep);

}  // namespace trireme::tune
