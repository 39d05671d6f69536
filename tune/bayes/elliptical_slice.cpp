#include "tune/bayes/elliptical_slice.h"

#include <cmath>
#include <numbers>

namespace trireme::tune {

SliceState elliptical_slice(const std::function<double(const Eigen::VectorXd&)>& log_likelihood,
                            const Eigen::VectorXd& prior_mean, const Eigen::VectorXd& prior_deviation,
                            const SliceState& from, TrialRandom& random) {
  constexpr int kMostShrinks = 60;  // the bracket is then narrower than rounding: the state stays
  constexpr double kCircle = 2 * std::numbers::pi;
  Eigen::VectorXd other(from.x.size());
  for (double& each : other) each = random.normal();
  other = other.cwiseProduct(prior_deviation);
  const double height = from.log_likelihood + std::log1p(-random.uniform());
  const Eigen::VectorXd centred = from.x - prior_mean;
  double angle = kCircle * random.uniform(), low = angle - kCircle, high = angle;
  for (int i = 0; i < kMostShrinks; ++i) {
    Eigen::VectorXd x = prior_mean + std::cos(angle) * centred + std::sin(angle) * other;
    const double here = log_likelihood(x);
    if (here > height) return {std::move(x), here};
    (angle < 0 ? low : high) = angle;
    angle = low + (high - low) * random.uniform();
  }
  return from;
}

}  // namespace trireme::tune
