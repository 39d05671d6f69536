#include "tune/bayes/output_transform.h"

#include <gtest/gtest.h>

#include <cmath>

namespace trireme::tune {
namespace {

const Eigen::VectorXd kValues = (Eigen::VectorXd(6) << 3.5, 0.2, 17, 0.9, 250, 1.4).finished();

TEST(OutputTransform, KeepsTheOrderAndStandardises) {
  for (const double log_delta : {-9.0, -1.0, 0.0, 6.0}) {
    const OutputTransform transform(kValues, log_delta);
    EXPECT_NEAR(transform.results().mean(), 0, 1e-12);
    EXPECT_NEAR(transform.results().squaredNorm() / 6, 1, 1e-12);
    for (Eigen::Index i = 0; i < 6; ++i) {
      EXPECT_NEAR(transform.apply(kValues[i]), transform.results()[i], 1e-9);
      EXPECT_NEAR(transform.invert(transform.results()[i]), kValues[i], 1e-7 * kValues[i]);
      for (Eigen::Index j = 0; j < 6; ++j)
        EXPECT_EQ(kValues[i] < kValues[j], transform.results()[i] < transform.results()[j]);
    }
  }
}

TEST(OutputTransform, GoesOnStraightBelowTheBestValue) {
  const OutputTransform transform(kValues, 0);
  const double first = transform.apply(0.2) - transform.apply(0.1), second = transform.apply(0.1) - transform.apply(0);
  EXPECT_NEAR(first, second, 1e-12);
  EXPECT_GT(first, 0);
  EXPECT_NEAR(transform.invert(transform.apply(-1)), -1, 1e-9);
}

TEST(OutputTransform, DerivativesAreThoseOfFiniteDifferences) {
  const double step = 1e-6;
  for (const double log_delta : {-3.0, 0.0, 2.0}) {
    const OutputTransform here(kValues, log_delta), above(kValues, log_delta + step), below(kValues, log_delta - step);
    const Eigen::VectorXd slopes = (above.results() - below.results()) / (2 * step);
    EXPECT_LT((slopes - here.slopes()).cwiseAbs().maxCoeff(), 1e-8);
    EXPECT_NEAR(here.log_jacobian_slope(), (above.log_jacobian() - below.log_jacobian()) / (2 * step), 1e-7);
  }
}

TEST(OutputTransform, JacobianIsThatOfItsOwnResults) {
  // The determinant of d results / d u is the product of each result's slope, mean and deviation taken for constants.
  const OutputTransform transform(kValues, 0.5);
  double log_slopes = 0;
  const double spread = 3.5 - 0.2;  // best to the middle (upper of the two)
  for (Eigen::Index i = 0; i < 6; ++i) {
    const double step = 1e-6 * (1 + kValues[i]);
    const double y = std::max(kValues[i], 0.2 + step);
    log_slopes += std::log((transform.apply(y + step) - transform.apply(y - step)) / (2 * step) * spread);
  }
  EXPECT_NEAR(transform.log_jacobian(), log_slopes, 1e-4);
}

TEST(OutputTransform, BearsConstantsAndOutliersOfAnySize) {
  for (const Eigen::VectorXd& values :
       {Eigen::VectorXd::Constant(5, 7.0).eval(), Eigen::VectorXd::Constant(1, -1e300).eval(),
        (Eigen::VectorXd(4) << 1, 1, 1, 1e30).finished(), (Eigen::VectorXd(3) << -1e308, 0, 1e308).finished(),
        (Eigen::VectorXd(3) << 1e-300, 2e-300, 3e-300).finished()}) {
    const OutputTransform transform(values, 0);
    EXPECT_TRUE(transform.results().allFinite());
    EXPECT_TRUE(transform.slopes().allFinite());
    EXPECT_TRUE(std::isfinite(transform.log_jacobian()));
    EXPECT_TRUE(std::isfinite(transform.apply(values[0])));
  }
}

TEST(OutputTransform, BelowTheBestItIsLinear) {
  Eigen::VectorXd values(5);
  values << 3, 7, 4, 900, 5;
  for (const double log_delta : {-5.0, 0.0, 6.0}) {
    const OutputTransform transform(values, log_delta);
    const double unit = std::exp(transform.log_slope_below_best());
    for (const double below : {0.0, 0.1, 20.0})
      EXPECT_NEAR((transform.apply(3) - transform.apply(3 - below)) * unit, below, 1e-9);
  }
}

}  // namespace
}  // namespace trireme::tune
