#include "tune/bayes/thompson_sample.h"

namespace trireme::tune {

ThompsonSample::ThompsonSample(const Surrogate& surrogate, const KernelInputs& support, std::uint64_t seed)
    : scenarios_(surrogate, support, seed, 1) {}

Eigen::VectorXd ThompsonSample::values(const KernelInputs& points) const {
  return -scenarios_.predict(points).means.row(0).transpose();
}

double ThompsonSample::value(const KernelInputs& point, Eigen::VectorXd& slope) const {
  const Scenarios::Slopes at = scenarios_.slopes(point);
  slope = -at.mean_slopes.col(0);
  return -at.means[0];
}

}  // namespace trireme::tune
