#include "tune/bayes/trust_region.h"

#include <algorithm>
#include <cmath>

namespace trireme::tune {
namespace {

// As in the paper.
constexpr double kFirstSide = 0.8, kLeastSide = 1.0 / 128, kMostSide = 1.6;
constexpr std::size_t kSuccesses = 3;
// What counts as better: a share of half the distance from the best value to one that is high, but not the highest:
// a single value of 1e30 must not make all gains too small.
constexpr double kGain = 1e-3, kHigh = 0.8;

}  // namespace

TrustRegion::TrustRegion(const std::vector<Trial>& trials, std::size_t dimensions) : side_(kFirstSide) {
  const auto lower = [](const Trial& a, const Trial& b) { return a.value < b.value; };
  std::vector<Trial> ordered = trials;
  const auto at = ordered.begin() + static_cast<std::ptrdiff_t>(kHigh * static_cast<double>(ordered.size() - 1));
  std::nth_element(ordered.begin(), at, ordered.end(), lower);
  const double high = at->value;

  const std::size_t failures_allowed = std::max<std::size_t>(4, dimensions);
  std::size_t successes = 0, failures = 0;
  for (std::size_t i = 1; i < trials.size(); ++i) {
    const double best = trials[centre_].value;
    const double gain = kGain * std::max(0.0, high / 2 - best / 2);
    if (trials[i].value < best) centre_ = i;
    if (!trials[i].counts) continue;
    const bool better = trials[i].value < best - gain;
    successes = better ? successes + 1 : 0;
    failures = better ? 0 : failures + 1;
    if (successes == kSuccesses) side_ = std::min(2 * side_, kMostSide);
    if (failures == failures_allowed) side_ /= 2;
    if (successes == kSuccesses || failures == failures_allowed) successes = failures = 0;
    if (side_ < kLeastSide) side_ = kFirstSide;
  }
}

Region TrustRegion::around(const Eigen::VectorXd& centre, const Eigen::VectorXd& log_inverse_length,
                           const std::vector<Eigen::Index>& columns) const {
  Region region = Region::whole(centre.size());
  const double mean = log_inverse_length(columns).mean();
  for (const Eigen::Index c : columns) {
    const double half = 0.5 * side_ * std::exp(mean - log_inverse_length[c]);  // their geometric mean is half the side
    region.low[c] = std::max(0.0, centre[c] - half);
    region.high[c] = std::min(1.0, centre[c] + half);
  }
  return region;
}

}  // namespace trireme::tune
