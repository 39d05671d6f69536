#include "train/loop/deadline.h"

#include <algorithm>

namespace trireme::train {

Deadline::Deadline(std::optional<double> limit, std::int64_t checkpoint_bytes)
    : limit_(limit), save_(static_cast<double>(checkpoint_bytes) / 200e6) {}

void Deadline::step_took(double seconds) { longest_step_ = std::max(longest_step_, seconds); }

void Deadline::save_took(double seconds) {
  save_ = has_saved_ ? std::max(save_, 2 * seconds) : 2 * seconds;
  has_saved_ = true;
}

bool Deadline::passed(double now) const {
  constexpr double kEnd = 1;
  return limit_ && now + save_ + kEnd >= *limit_;
}

bool Deadline::passes_in_next_step(double now, double step_seconds) const {
  return passed(now + std::max(longest_step_, step_seconds));
}

}  // namespace trireme::train
