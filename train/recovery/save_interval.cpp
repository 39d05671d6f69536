#include "train/recovery/save_interval.h"

#include <algorithm>
#include <cmath>

namespace trireme::train {

double mean_seconds_between_failures(double prior_hours, const FailureHistory& history) {
  constexpr double kSecondsAnHour = 3600;
  return (prior_hours * kSecondsAnHour + history.seconds) / static_cast<double>(1 + history.failures);
}

double best_save_interval(double cost, double mean, double write, double budget) {
  double best = mean;
  if (cost < 2 * mean) {
    const double ratio = cost / (2 * mean);
    best = std::sqrt(2 * cost * mean) * (1 + std::sqrt(ratio) / 3 + ratio / 9) - cost;
  }
  return std::max({best, write, cost / budget - cost});
}

}  // namespace trireme::train
