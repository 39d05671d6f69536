#pragma once
#include <chrono>
#include <cstdint>
#include <string>

#include "core/base/live_line.h"
#include "train/loop/run_files.h"

namespace trireme::train {

/// What a person sees of a run, on stderr of rank 0: a live line of the newest step on a terminal, a plain line every
/// few seconds elsewhere; the first and the last step always.
class Console {
 public:
  /// @param speaks  false on all ranks but one
  Console(bool speaks, std::int64_t first_step, std::int64_t last_step, double peak_flops);

  void step(const StepRecord& record);
  /// A line that stays.
  void line(const std::string& text);

 private:
  using Clock = std::chrono::steady_clock;
  bool speaks_;
  LiveLine live_;
  std::int64_t first_step_, last_step_;
  double peak_flops_;
  Clock::time_point start_ = Clock::now();
};

}  // namespace trireme::train
