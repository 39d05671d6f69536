#pragma once
#include <chrono>
#include <cstdint>
#include <string>

#include "train/loop/run_files.h"

namespace trireme::train {

/// What a person sees of a run, on stderr of rank 0. A terminal gets one live line with a bar, rewritten every step; a
/// pipe gets a plain line every few seconds and for the first and last step.
class Console {
 public:
  /// @param speaks  false on all ranks but one
  Console(bool speaks, std::int64_t first_step, std::int64_t last_step, double peak_flops);
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  void step(const StepRecord& record);
  /// A line that stays.
  void line(const std::string& text);

 private:
  using Clock = std::chrono::steady_clock;
  bool speaks_, terminal_, colour_, live_ = false;
  std::int64_t first_step_, last_step_;
  double peak_flops_;
  Clock::time_point start_ = Clock::now(), last_line_{};
};

}  // namespace trireme::train
