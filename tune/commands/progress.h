#pragma once
#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "tune/commands/live_block.h"
#include "tune/study/study.h"
#include "tune/trial/runner.h"

namespace trireme::tune {

/// What a person sees of a study while its trials are run, on stderr: each trial that ends, whoever ran it, and on a
/// terminal below them how far the study is and what each slot is doing. A pipe gets the first of these every few
/// seconds instead.
class Progress {
 public:
  explicit Progress(Study& study);
  /// @param slots  as run_trials gives them
  void show(const std::vector<SlotState>& slots);
  /// The last word, in place of what was rewritten.
  void end();

 private:
  using Clock = std::chrono::steady_clock;
  void show_ended(const std::vector<Trial>& trials);
  std::vector<std::string> slot_lines(const std::vector<SlotState>& slots) const;
  std::string bar_of(const std::vector<Trial>& trials) const;
  std::string summary(const std::vector<Trial>& trials);

  Study& study_;
  LiveBlock block_;
  std::vector<bool> ended_;  // trials that have been shown, or had ended before
  const Clock::time_point begin_ = Clock::now();
  Clock::time_point last_{};
  std::size_t ended_here_ = 0;
};

}  // namespace trireme::tune
