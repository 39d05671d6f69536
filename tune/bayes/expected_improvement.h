#pragma once

namespace trireme::tune {

/// log E[max(0, best - f)] for f normal, and its derivatives; finite however small the improvement is, where the plain
/// expectation and its slope are 0 in floating point and a search finds no way.
///
/// Source: Ament et al. 2023, "Unexpected improvements to expected improvement for Bayesian optimization",
/// arXiv:2310.20708, equation 9.
struct LogExpectedImprovement {
  double value, by_mean, by_deviation;
};
/// @param deviation  above 0
LogExpectedImprovement log_expected_improvement(double best, double mean, double deviation);

/// Logarithm of the standard normal distribution's function, and its derivative.
struct LogNormalCdf {
  double value, slope;
};
LogNormalCdf log_normal_cdf(double z);

}  // namespace trireme::tune
