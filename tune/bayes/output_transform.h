#pragma once
#include <Eigen/Core>

namespace trireme::tune {

/// What a surrogate learns instead of a value y: how far it lies above the best one, on a scale that is linear near the
/// best and logarithmic far from it, standardised. Losses span powers of ten, and what a search has to tell apart are
/// the good ones; how soon the logarithm begins is a parameter that the likelihood chooses.
///
///     u = (y - best) / spread,  t = log(1 + u / delta),  result = (t - mean(t)) / deviation(t)
///
/// Source: the idea of learning the transform with the process is Snelson et al. 2003, "Warped Gaussian processes".
class OutputTransform {
 public:
  /// Values as they are: finite, of any size.
  OutputTransform(const Eigen::VectorXd& values, double log_delta);

  const Eigen::VectorXd& results() const { return results_; }
  /// Log of the determinant of the derivative of results by (y - best) / spread, and its derivative by log delta.
  double log_jacobian() const { return log_jacobian_; }
  double log_jacobian_slope() const { return log_jacobian_slope_; }
  /// Derivative of each result by log delta.
  const Eigen::VectorXd& slopes() const { return slopes_; }
  double apply(double value) const;
  double invert(double result) const;
  /// Logarithm of the derivative of values by results, which below the best value is the same everywhere.
  double log_slope_below_best() const;

 private:
  double best_, spread_, delta_, mean_, deviation_;
  double log_jacobian_, log_jacobian_slope_;
  Eigen::VectorXd results_, slopes_;
};

}  // namespace trireme::tune
