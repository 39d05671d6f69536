#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>

#include "core/base/random.h"

namespace trireme::tune {

/// Random numbers for one trial, one after another. They depend on the stream, the trial and the row alone, so the same
/// trial is proposed again after a restart.
class TrialRandom {
 public:
  /// @param row  below 2^32: tells independent rows of a trial apart, as those of several attempts
  TrialRandom(const RandomStream& stream, std::int64_t trial, std::uint64_t row)
      : stream_(stream), index_(static_cast<std::uint64_t>(trial)), lane_(row << 32) {}

  /// In [0, 1).
  double uniform() { return stream_.uniform(index_, lane_++); }
  /// From 0 to count - 1.
  std::size_t below(std::size_t count) { return static_cast<std::size_t>(uniform() * static_cast<double>(count)); }
  /// Of the standard normal distribution, by Box & Muller.
  double normal() {
    const double radius = std::sqrt(-2 * std::log1p(-uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }

 private:
  RandomStream stream_;
  std::uint64_t index_, lane_;
};

/// A number folded into [0, 1] as between two mirrors: what a step over the edge of a range becomes.
inline double mirrored(double x) {
  const double folded = std::fabs(std::remainder(x, 2.0));
  return folded <= 1 ? folded : 1;
}

}  // namespace trireme::tune
