#include "tune/bayes/elliptical_slice.h"

#include <gtest/gtest.h>

#include <Eigen/LU>
#include <cmath>
#include <limits>

namespace trireme::tune {
namespace {

TEST(EllipticalSlice, DrawsFromThePosterior) {
  // Prior N(1, 2^2) and N(0, 1); x_0 + x_1 seen as 3 with deviation 0.5: a normal posterior, in closed form.
  const Eigen::Vector2d mean(1, 0), deviation(2, 1), direction(1, 1);
  Eigen::Matrix2d precision = direction * direction.transpose() / 0.25;
  precision.diagonal() += deviation.array().square().inverse().matrix();
  const Eigen::Matrix2d covariance = precision.inverse();
  const Eigen::Vector2d expected = covariance * (direction * 3 / 0.25 + Eigen::Vector2d(1 / 4.0, 0));
  const auto likelihood = [](const Eigen::VectorXd& x) { return -0.5 * std::pow((x.sum() - 3) / 0.5, 2); };

  TrialRandom random(RandomStream(1, "test"), 0, 0);
  SliceState state{mean, likelihood(mean)};
  constexpr int kDraws = 40000;
  Eigen::Vector2d sum = Eigen::Vector2d::Zero();
  Eigen::Matrix2d squares = Eigen::Matrix2d::Zero();
  for (int i = 0; i < kDraws; ++i) {
    state = elliptical_slice(likelihood, mean, deviation, state, random);
    EXPECT_EQ(state.log_likelihood, likelihood(state.x));
    sum += state.x;
    squares += (state.x - expected) * (state.x - expected).transpose();
  }
  EXPECT_LT((sum / kDraws - expected).cwiseAbs().maxCoeff(), 0.05) << (sum / kDraws).transpose();
  EXPECT_LT((squares / kDraws - covariance).cwiseAbs().maxCoeff(), 0.06) << squares / kDraws;
}

TEST(EllipticalSlice, StaysWhereTheLikelihoodIsNotNothing) {
  const Eigen::VectorXd mean = Eigen::VectorXd::Zero(3);
  Eigen::VectorXd deviation = Eigen::VectorXd::Ones(3);
  deviation[2] = 0;
  const auto likelihood = [](const Eigen::VectorXd& x) {
    return x[0] > 0 ? 0.0 : -std::numeric_limits<double>::infinity();
  };
  TrialRandom random(RandomStream(2, "test"), 0, 0);
  SliceState state{Eigen::Vector3d(0.1, 0, 0), 0};
  for (int i = 0; i < 500; ++i) {
    state = elliptical_slice(likelihood, mean, deviation, state, random);
    EXPECT_GT(state.x[0], 0);
    EXPECT_EQ(state.x[2], 0);
  }
}

}  // namespace
}  // namespace trireme::tune
