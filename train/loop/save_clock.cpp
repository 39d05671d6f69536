#include "train/loop/save_clock.h"

#include <algorithm>

namespace trireme::train {
namespace {

double seconds(SaveClock::Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

// Before the first save: short, so that the first interval is.
constexpr double kFirstStall = 0.1, kFirstSave = 1;

}  // namespace

SaveClock::SaveClock(const CheckpointConfig& config, int ranks, const FailureHistory& history)
    : config_(config),
      mean_between_failures_(mean_seconds_between_failures(
          config.failure_hours > 0 ? config.failure_hours : kRankHoursBetweenFailures / ranks, history)),
      last_(Clock::now()),
      stall_(kFirstStall),
      all_(kFirstSave) {}

bool SaveClock::is_due(Clock::time_point now) const {
  if (again_) return now >= *again_;
  const double passed = seconds(now - last_);
  return (config_.every_seconds > 0 && passed >= config_.every_seconds) ||
         (config_.auto_interval && passed >= best_interval());
}

void SaveClock::begins(Clock::time_point now) {
  last_ = now;
  again_.reset();
}

void SaveClock::took(double stall, double all) {
  stall_ = stall;
  all_ = all;
  pause_ = 0;
}

void SaveClock::failed(Clock::time_point now) {
  constexpr double kFirst = 5, kLongest = 300;
  pause_ = std::clamp(2 * pause_, kFirst, kLongest);
  again_ = now + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(pause_));
}

double SaveClock::best_interval() const {
  return best_save_interval(stall_, mean_between_failures_, all_, config_.stall_budget);
}

}  // namespace trireme::train
