#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "core/comm/communicator.h"

namespace trireme::train {

/// The losses of a run's checkpoints that were saved in a step with an evaluation: what decides, on all ranks alike,
/// whether a step is to be saved for its loss (`checkpoint.keep-best`).
class BestLosses {
 public:
  /// Reads the run's checkpoints on rank 0 and tells all. Called by all ranks.
  void read(Communicator& world, const std::filesystem::path& run);

  /// Whether a checkpoint with this loss would be kept for it, once the one under way is durable.
  bool would_keep(double loss, std::int64_t keep_best) const;

  /// Whether none was lower so far.
  bool is_best(double loss) const { return losses_.empty() || loss <= losses_.front(); }
  /// A save is under way. @param loss  of its step, if that was evaluated
  void begin(std::optional<double> loss) { under_way_ = loss; }
  const std::optional<double>& under_way() const { return under_way_; }
  void end(bool is_durable);

 private:
  std::vector<double> losses_;  // lowest first
  std::optional<double> under_way_;
};

}  // namespace trireme::train
