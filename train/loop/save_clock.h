#pragma once
#include <chrono>
#include <optional>

#include "train/config/train_config.h"
#include "train/recovery/save_interval.h"

namespace trireme::train {

/// When a save is due by the clock: checkpoint.every-seconds, checkpoint.auto, or because the one before failed. Rank
/// 0's is asked, so that one clock decides.
class SaveClock {
 public:
  using Clock = std::chrono::steady_clock;
  SaveClock(const CheckpointConfig& config, int ranks, const FailureHistory& history);

  bool is_due(Clock::time_point now = Clock::now()) const;
  void begins(Clock::time_point now = Clock::now());
  /// @param stall  seconds that training stood still
  /// @param all    seconds from there until it was durable
  void took(double stall, double all);
  /// The one before failed: it is tried again, after a pause that grows from one failure to the next.
  void failed(Clock::time_point now = Clock::now());

  /// Seconds between saves of checkpoint.auto.
  double best_interval() const;

 private:
  const CheckpointConfig config_;
  const double mean_between_failures_;
  Clock::time_point last_;
  std::optional<Clock::time_point> again_;
  double pause_ = 0, stall_, all_;
};

}  // namespace trireme::train
