#include "tune/bayes/upper_confidence_bound.h"

#include <algorithm>
#include <cmath>

namespace trireme::tune {
UpperConfidenceBound::UpperConfidenceBound(const Surrogate& surrogate, const KernelInputs& pending, double kappa)
    : process_(surrogate.process), kappa_(kappa) {
  const Eigen::VectorXd expected = process_.predict(pending).mean;
  for (Eigen::Index i = 0; i < pending.size(); ++i) process_.append(rows_of(pending, {i}), expected[i]);
}

Eigen::VectorXd UpperConfidenceBound::values(const KernelInputs& points) const {
  const GaussianProcess::Prediction prediction = process_.predict(points);
  return kappa_ * prediction.variance.cwiseMax(kLeastVariance).cwiseSqrt() - prediction.mean;
}

double UpperConfidenceBound::value(const KernelInputs& point, Eigen::VectorXd& slope) const {
  const GaussianProcess::CrossSlopes cross = process_.cross_slopes(point);
  const double deviation = std::sqrt(std::max(cross.variance, kLeastVariance));
  slope = kappa_ / (2 * deviation) * cross.variance_slope - cross.covariance_slope.transpose() * process_.weights();
  return kappa_ * deviation - cross.covariance.dot(process_.weights()) - process_.parameters().mean;
}

double usual_kappa(Eigen::Index dimensions, Eigen::Index observations) {
  return std::sqrt(0.2 * static_cast<double>(dimensions) * std::log(2 * static_cast<double>(observations)));
}

}  // namespace trireme::tune
