#include "tune/bayes/output_transform.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace trireme::tune {
namespace {

// From the best value to the middle one; to the mean of the rest where half of all are the best.
double spread_of(const Eigen::VectorXd& values, double best) {
  std::vector<double> sorted(values.data(), values.data() + values.size());
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  double spread = *middle - best;
  if (!(spread > 0)) spread = (values.array() - best).mean();
  return spread > 0 && std::isfinite(spread) ? spread : 1;
}

}  // namespace

OutputTransform::OutputTransform(const Eigen::VectorXd& values, double log_delta)
    : best_(values.minCoeff()), spread_(spread_of(values, best_)), delta_(std::exp(log_delta)) {
  const auto n = static_cast<double>(values.size());
  // Halved before the subtraction: the difference of two finite numbers may not be one.
  const Eigen::ArrayXd u = ((values.array() / 2 - best_ / 2) / (spread_ / 2)).min(1e300);
  const Eigen::ArrayXd t = (1 + u / delta_).log();
  const Eigen::ArrayXd t_slope = -u / (delta_ + u);
  mean_ = t.mean();
  deviation_ = std::sqrt((t - mean_).square().mean());
  if (!(deviation_ > 1e-12)) deviation_ = 1;
  results_ = (t - mean_) / deviation_;
  const double deviation_slope = (results_.array() * t_slope).mean();  // of the deviation, by log delta
  slopes_ = (t_slope - t_slope.mean() - results_.array() * deviation_slope) / deviation_;
  log_jacobian_ = -(delta_ + u).log().sum() - n * std::log(deviation_);
  log_jacobian_slope_ = -(delta_ / (delta_ + u)).sum() - n * deviation_slope / deviation_;
}

double OutputTransform::apply(double value) const {
  const double u = std::min((value / 2 - best_ / 2) / (spread_ / 2), 1e300);
  const double t = u >= 0 ? std::log1p(u / delta_) : u / delta_;
  return (t - mean_) / deviation_;
}

double OutputTransform::invert(double result) const {
  const double t = result * deviation_ + mean_;
  return best_ + spread_ * delta_ * (t >= 0 ? std::expm1(std::min(t, 700.0)) : t);
}

double OutputTransform::log_slope_below_best() const {
  return std::log(spread_) + std::log(delta_) + std::log(deviation_);
}

}  // namespace trireme::tune
