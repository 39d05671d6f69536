#include "tune/bayes/minimize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace trireme::tune {
namespace {

double rosenbrock(const Eigen::VectorXd& x, Eigen::VectorXd& gradient) {
  const double a = 1 - x[0], b = x[1] - x[0] * x[0];
  gradient = Eigen::Vector2d(-2 * a - 400 * x[0] * b, 200 * b);
  return a * a + 100 * b * b;
}

TEST(Minimize, FindsTheEndOfACurvedValley) {
  const Minimum found = minimize(rosenbrock, Eigen::Vector2d(-1.2, 1), Eigen::Vector2d(-5, -5), Eigen::Vector2d(5, 5),
                                 {.most_iterations = 200, .value_tolerance = 0});
  EXPECT_NEAR(found.x[0], 1, 1e-4);
  EXPECT_NEAR(found.x[1], 1, 1e-4);
}

TEST(Minimize, StopsAtBoundsAndGoesOnAlongThem) {
  const Minimum found = minimize(rosenbrock, Eigen::Vector2d(-1.2, 1), Eigen::Vector2d(-5, -5), Eigen::Vector2d(0.5, 5),
                                 {.most_iterations = 200, .value_tolerance = 0});
  EXPECT_EQ(found.x[0], 0.5);
  EXPECT_NEAR(found.x[1], 0.25, 1e-4);
}

TEST(Minimize, KeepsFixedVariablesFixed) {
  const Minimum found = minimize(rosenbrock, Eigen::Vector2d(2, 1), Eigen::Vector2d(2, -5), Eigen::Vector2d(2, 5));
  EXPECT_EQ(found.x[0], 2);
  EXPECT_NEAR(found.x[1], 4, 1e-4);
}

TEST(Minimize, TakesValuesThatAreNotFiniteForAStepTooFar) {
  const auto function = [](const Eigen::VectorXd& x, Eigen::VectorXd& gradient) {
    gradient = Eigen::VectorXd::Constant(1, x[0] > 0 ? 1 - 1 / x[0] : 0);
    return x[0] > 0 ? x[0] - std::log(x[0]) : std::numeric_limits<double>::quiet_NaN();
  };
  const Minimum found = minimize(function, Eigen::VectorXd::Constant(1, 3.0), Eigen::VectorXd::Constant(1, -10.0),
                                 Eigen::VectorXd::Constant(1, 10.0), {.first_step = 8});
  EXPECT_NEAR(found.x[0], 1, 1e-3);
}

TEST(Minimize, GivesBackAStartThatHasNoValue) {
  const auto nowhere = [](const Eigen::VectorXd&, Eigen::VectorXd&) { return std::numeric_limits<double>::infinity(); };
  const Minimum found = minimize(nowhere, Eigen::Vector2d(1, 2), Eigen::Vector2d(0, 0), Eigen::Vector2d(9, 9));
  EXPECT_EQ(found.x, Eigen::Vector2d(1, 2));
}

}  // namespace
}  // namespace trireme::tune
