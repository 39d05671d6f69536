#include "tune/bayes/matern.h"

#include <gtest/gtest.h>

#include <cmath>

namespace trireme::tune {
namespace {

TEST(Matern, IsItsFormulaToTheLastDigits) {
  constexpr Eigen::Index kCount = 200'000;
  // From distances at which it is all but 1 to those at which it is all but 0.
  const Eigen::ArrayXd squared =
      Eigen::ArrayXd::LinSpaced(kCount, -40, 13).unaryExpr([](double log) { return std::exp(log); });
  Eigen::ArrayXd value, value_too, slope;
  matern(squared, value);
  matern(squared, value_too, slope);
  EXPECT_TRUE((value == value_too).all());
  long double worst = 0;
  for (Eigen::Index i = 0; i < kCount; ++i) {
    const long double r = std::sqrt(5.0L * squared[i]);
    if (r > 700) break;  // numbers without full precision
    const long double e = std::exp(-r), is = (1 + r + r * r / 3) * e, slope_is = -5.0L / 6 * (1 + r) * e;
    // The root is rounded, which an exponential makes r times as much of.
    const long double allowed = (4 + r) * 0x1p-52L;
    worst = std::max({worst, std::abs(value[i] / is - 1) / allowed, std::abs(slope[i] / slope_is - 1) / allowed});
  }
  EXPECT_LT(worst, 1);
}

TEST(Matern, HasItsLimits) {
  Eigen::ArrayXd squared(4), value, slope;
  squared << 0, 1e-300, 1e6, 1e18;
  matern(squared, value, slope);
  EXPECT_EQ(value[0], 1);
  EXPECT_EQ(slope[0], -5.0 / 6);
  EXPECT_EQ(value[1], 1);
  EXPECT_LT(value[2], 1e-300);
  EXPECT_LT(value[3], 1e-280);
  EXPECT_GE(value[3], 0);
  matern(Eigen::ArrayXd(), value, slope);
  EXPECT_EQ(value.size(), 0);
}

}  // namespace
}  // namespace trireme::tune
