#include "tune/bayes/trust_region.h"

#include <algorithm>
#include <cmath>

namespace trireme::tune {
namespace {

// As in the paper.
constexpr double kFirstSide = 0.8, kLeastSide = 1.0 / 128, kMostSide = 1.6;
constexpr Eigen::Index kSuccesses = 3;
constexpr double kGain = 1e-3;  // of the range of values, that counts as better

}  // namespace

TrustRegion::TrustRegion(const Eigen::VectorXd& values, Eigen::Index dimensions) : side_(kFirstSide) {
  const auto failures_allowed = std::max<Eigen::Index>(4, dimensions);
  Eigen::Index successes = 0, failures = 0;
  double worst = values[0];
  for (Eigen::Index i = 1; i < values.size(); ++i) {
    const double best = values[centre_];
    const bool better = values[i] < best - kGain * (worst - best);
    successes = better ? successes + 1 : 0;
    failures = better ? 0 : failures + 1;
    worst = std::max(worst, values[i]);
    if (values[i] < best) centre_ = i;
    if (successes == kSuccesses) side_ = std::min(2 * side_, kMostSide);
    if (failures == failures_allowed) side_ /= 2;
    if (successes == kSuccesses || failures == failures_allowed) successes = failures = 0;
    if (side_ < kLeastSide) side_ = kFirstSide;
  }
}

Region TrustRegion::around(const Eigen::VectorXd& centre, const Eigen::VectorXd& log_inverse_length) const {
  const Eigen::ArrayXd half =
      0.5 * side_ * (log_inverse_length.mean() - log_inverse_length.array()).exp();  // geometric mean 1
  return {(centre.array() - half).max(0.0), (centre.array() + half).min(1.0)};
}

}  // namespace trireme::tune
