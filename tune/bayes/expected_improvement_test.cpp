#include "tune/bayes/expected_improvement.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace trireme::tune {
namespace {

// The expectation by the trapezoidal rule.
double integral(double best, double mean, double deviation) {
  const int steps = 400000;
  const double low = mean - 12 * deviation, high = best;
  if (high <= low) return 0;
  double sum = 0;
  for (int i = 0; i <= steps; ++i) {
    const double f = low + (high - low) * i / steps, z = (f - mean) / deviation;
    sum += (i == 0 || i == steps ? 0.5 : 1) * (best - f) * std::exp(-0.5 * z * z);
  }
  return sum * (high - low) / steps / (deviation * std::sqrt(2 * std::numbers::pi));
}

TEST(LogExpectedImprovement, IsTheIntegral) {
  for (const double mean : {-3.0, 0.0, 0.9, 1.1, 4.0, 9.0})
    EXPECT_NEAR(log_expected_improvement(1, mean, 1.3).value, std::log(integral(1, mean, 1.3)), 1e-6) << mean;
}

TEST(LogExpectedImprovement, DerivativesAreThoseOfFiniteDifferencesHoweverSmallItIs) {
  for (const double mean : {-3.0, 0.0, 2.2, 3.0, 30.0, 40.0, 300.0, 5e3}) {
    const double step = 1e-5 * (1 + std::abs(mean));
    const auto here = log_expected_improvement(1, mean, 1.2);
    const double by_mean =
        (log_expected_improvement(1, mean + step, 1.2).value - log_expected_improvement(1, mean - step, 1.2).value) /
        (2 * step);
    const double by_deviation =
        (log_expected_improvement(1, mean, 1.2 + 1e-6).value - log_expected_improvement(1, mean, 1.2 - 1e-6).value) /
        2e-6;
    EXPECT_NEAR(here.by_mean / by_mean, 1, 1e-4) << mean;
    EXPECT_NEAR(here.by_deviation / by_deviation, 1, 1e-4) << mean;
  }
}

TEST(LogExpectedImprovement, FallsWithoutEndAndNeverBecomesInfinite) {
  double before = log_expected_improvement(0, 0, 1).value;
  for (double mean = 0.1; mean < 1e12; mean *= 1.01) {
    const double value = log_expected_improvement(0, mean, 1).value;
    ASSERT_TRUE(std::isfinite(value)) << mean;
    ASSERT_LT(value, before) << mean;
    before = value;
  }
}

TEST(LogNormalCdf, IsTheLogarithmAndItsDerivative) {
  EXPECT_NEAR(log_normal_cdf(0).value, std::log(0.5), 1e-14);
  EXPECT_NEAR(log_normal_cdf(1.96).value, std::log(0.9750021048517795), 1e-12);
  EXPECT_NEAR(log_normal_cdf(-10).value, -53.23128515051247, 1e-10);  // scipy.stats.norm.logcdf
  EXPECT_NEAR(log_normal_cdf(-40).value, -804.6084420137538, 1e-9);
  for (const double z : {-50.0, -9.0, -1.5, -0.5, 0.0, 3.0})
    EXPECT_NEAR(log_normal_cdf(z).slope, (log_normal_cdf(z + 1e-6).value - log_normal_cdf(z - 1e-6).value) / 2e-6,
                1e-6 * (1 + std::abs(z)));
}

}  // namespace
}  // namespace trireme::tune
