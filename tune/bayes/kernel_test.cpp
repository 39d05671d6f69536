#include "tune/bayes/kernel.h"

#include <gtest/gtest.h>

#include <Eigen/Eigenvalues>
#include <cmath>

#include "tune/bayes/kernel_testing.h"

namespace trireme::tune {
namespace {

using namespace testing;

double matern(double distance) {
  const double r = std::sqrt(5.0) * distance;
  return (1 + r + r * r / 3) * std::exp(-r);
}

Eigen::MatrixXd covariance(const Kernel& kernel, const KernelParameters& parameters, const std::vector<Point>& points) {
  const KernelInputs warped = kernel.warp(kernel.inputs(points), parameters);
  return kernel.covariance(parameters, warped, warped);
}

TEST(Kernel, IsMaternOfTheDistanceAndOfEachDimensionAlone) {
  const Space space = cube(2);
  const Kernel kernel(space);
  KernelParameters parameters{Eigen::Vector2d(std::log(2), std::log(3)), Eigen::Vector2d::Zero(),
                              Eigen::Vector2d::Zero(), Eigen::VectorXd(0), 0};  // half of each part
  const double k = covariance(kernel, parameters, {{0.1, 0.2}, {0.4, 0.9}})(0, 1);
  const double a = 2 * 0.3, b = 3 * 0.7, root = std::sqrt(2.0);
  EXPECT_NEAR(k, 0.5 * matern(std::hypot(a, b)) + 0.25 * (matern(root * a) + matern(root * b)), 1e-14);
}

TEST(Kernel, KnowsOfChoicesOnlyWhetherTheyAreTheSame) {
  const Space space({choice("c", {"x", "y", "z"}), real("r")});
  const Kernel kernel(space);
  const auto parameters = some_parameters(kernel, 1);
  const auto k = covariance(kernel, parameters, {{0.1, 0.5}, {0.5, 0.5}, {0.9, 0.5}, {0.1, 0.5}});
  EXPECT_EQ(k(0, 1), k(0, 2));
  EXPECT_EQ(k(0, 1), k(1, 2));
  EXPECT_LT(k(0, 1), 1);
  EXPECT_EQ(k(0, 3), 1);
}

TEST(Kernel, InactiveDimensionsContributeNothing) {
  const Space space = branches();
  const Kernel kernel(space);
  EXPECT_EQ(kernel.groups(), 2);  // depth and rate are there under the same condition
  auto parameters = some_parameters(kernel, 2);
  const std::vector<Point> points = {space.snap({0.3, 0.1, 0.2, kInactive, kInactive}),         // linear
                                     space.snap({0.3, 0.5, kInactive, 0.2, 0.3}),               // tree
                                     space.snap({0.3, 0.5, kInactive, 0.9, 0.8}),               // tree, other values
                                     space.snap({0.3, 0.9, kInactive, kInactive, kInactive})};  // net
  const auto k = covariance(kernel, parameters, points);
  EXPECT_EQ(k(0, 1), k(0, 2));  // to one that is linear, what a tree is set to makes no difference
  EXPECT_EQ(k(3, 1), k(3, 2));
  EXPECT_LT(k(1, 2), 1);
  parameters.log_inverse_length.tail(3).setConstant(7);  // nor do length scales of dimensions that neither has
  const auto other = covariance(kernel, parameters, points);
  EXPECT_EQ(k(0, 3), other(0, 3));
}

TEST(Kernel, IsPositiveDefiniteForAnyMixtureOfBranches) {
  const Space space = branches();
  const Kernel kernel(space);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    auto parameters = some_parameters(kernel, seed);
    parameters.log_inverse_length *= static_cast<double>(seed) / 4;  // from all alike to all apart
    const auto k = covariance(kernel, parameters, random_points(space, 60, seed));
    EXPECT_GT(Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(k).eigenvalues().minCoeff(), -1e-12) << seed;
  }
}

TEST(KernelPairs, GivesTheLowerTriangleOfTheCovariance) {
  const Space space = branches();
  const Kernel kernel(space);
  const auto points = random_points(space, 12, 3);
  const KernelInputs inputs = kernel.inputs(points);
  KernelPairs pairs(kernel, inputs);
  for (const bool warped : {true, false, true}) {  // a warp that goes takes its differences along
    const auto parameters = some_parameters(kernel, 3, warped);
    Eigen::MatrixXd lower;
    pairs.evaluate(parameters, lower);
    const Eigen::MatrixXd whole = covariance(kernel, parameters, points);
    for (Eigen::Index j = 0; j < 12; ++j)
      for (Eigen::Index i = j; i < 12; ++i) EXPECT_NEAR(lower(i, j), whole(i, j), 1e-13);
  }
}

TEST(KernelPairs, GradientIsThatOfFiniteDifferences) {
  const Space space = branches();
  const Kernel kernel(space);
  const KernelInputs inputs = kernel.inputs(random_points(space, 15, 4));
  KernelPairs pairs(kernel, inputs);
  Eigen::MatrixXd weights = Eigen::MatrixXd::Random(15, 15);
  weights = (weights + weights.transpose()).eval();
  KernelParameters parameters = some_parameters(kernel, 4);
  const auto value = [&] {
    const KernelInputs warped = kernel.warp(inputs, parameters);
    return kernel.covariance(parameters, warped, warped).cwiseProduct(weights).sum();
  };
  Eigen::MatrixXd covariance;
  pairs.evaluate(parameters, covariance);
  KernelParameters gradient = pairs.gradient(weights);
  std::vector<double> analytic;
  for_each_number(gradient, [&](double& x, const std::string&) { analytic.push_back(x); });
  std::size_t at = 0;
  for_each_number(parameters, [&](double& x, const std::string& name) {
    // A dimension without an order has no warp.
    EXPECT_NEAR(analytic[at], central_difference(x, value), 1e-6 * (1 + std::abs(analytic[at]))) << name;
    ++at;
  });
}

TEST(Kernel, RowHasTheDerivativesOfFiniteDifferences) {
  const Space space = branches();
  const Kernel kernel(space);
  const auto parameters = some_parameters(kernel, 5);
  const KernelInputs warped = kernel.warp(kernel.inputs(random_points(space, 9, 5)), parameters);
  KernelInputs point = kernel.inputs(space.snap({0.31, 0.5, kInactive, 0.4, 0.77}));  // a tree
  Eigen::VectorXd row;
  Eigen::MatrixXd jacobian;
  kernel.row(parameters, warped, point, row, jacobian);
  EXPECT_NEAR((row - kernel.covariance(parameters, warped, point).col(0)).norm(), 0, 1e-14);
  for (Eigen::Index c = 0; c < kernel.dimensions(); ++c) {
    if (!kernel.column(c).ordered) continue;
    for (Eigen::Index i = 0; i < 9; ++i) {
      const auto value = [&] { return kernel.covariance(parameters, warped, point)(i, 0); };
      EXPECT_NEAR(jacobian(i, c), central_difference(point.x(0, c), value), 1e-8) << c << " " << i;
    }
  }
}

}  // namespace
}  // namespace trireme::tune
