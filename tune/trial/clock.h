#pragma once
#include <algorithm>
#include <chrono>

namespace trireme::tune {

/// What waits and time limits are measured by: no one sets it.
using Clock = std::chrono::steady_clock;

/// Seconds as the clock counts them; a hundred years stand for all that is longer, so that sums do not overflow.
inline Clock::duration clock_seconds(double seconds) {
  constexpr double kMost = 100 * 365.25 * 86400;
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(std::min(seconds, kMost)));
}

}  // namespace trireme::tune
