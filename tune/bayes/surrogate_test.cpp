#include "tune/bayes/surrogate.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tune/bayes/kernel_testing.h"

namespace trireme::tune {
namespace {

using namespace testing;

Eigen::VectorXd values_of(const std::vector<Point>& points, const std::function<double(const Point&)>& function) {
  Eigen::VectorXd values(static_cast<Eigen::Index>(points.size()));
  for (std::size_t i = 0; i < points.size(); ++i) values[static_cast<Eigen::Index>(i)] = function(points[i]);
  return values;
}

// sin(5 x_0), with noise of this deviation.
Eigen::VectorXd noisy_sine(const std::vector<Point>& points, float deviation) {
  std::vector<float> noise(points.size());
  RandomStream(5, "noise").fill_normal(noise.data(), 0, noise.size(), deviation);
  std::size_t at = 0;
  return values_of(points, [&](const Point& x) { return std::sin(5 * x[0]) + noise[at++]; });
}

TEST(Surrogate, LearnsWhichDimensionsMatter) {
  const Space space = cube(3);
  const Kernel kernel(space);
  const auto points = random_points(space, 40, 1);
  const auto values = values_of(points, [](const Point& x) { return std::sin(6 * x[0]) + 0.3 * x[1]; });
  const Surrogate surrogate = fit_surrogate(kernel, kernel.inputs(points), values, {});
  const Eigen::VectorXd lengths = (-surrogate.process.parameters().kernel.log_inverse_length.array()).exp();
  EXPECT_LT(lengths[0], lengths[1]);
  EXPECT_LT(3 * lengths[0], lengths[2]);
}

TEST(Surrogate, PredictsWhatItHasNotSeen) {
  const Space space = cube(2);
  const Kernel kernel(space);
  const auto function = [](const Point& x) { return std::pow(x[0] - 0.3, 2) + std::cos(4 * x[1]); };
  const auto points = random_points(space, 40, 2), asked = random_points(space, 100, 3);
  const Surrogate surrogate = fit_surrogate(kernel, kernel.inputs(points), values_of(points, function), {});
  const auto prediction = surrogate.process.predict(kernel.inputs(asked));
  for (std::size_t i = 0; i < asked.size(); ++i)
    EXPECT_NEAR(surrogate.transform.invert(prediction.mean[static_cast<Eigen::Index>(i)]), function(asked[i]), 0.03);
}

TEST(Surrogate, BeyondWhatAnExactProcessTakesItIsSparseAndStillKnowsAll) {
  const Space space = cube(2);
  const Kernel kernel(space);
  const auto function = [](const Point& x) { return std::pow(x[0] - 0.3, 2) + std::cos(4 * x[1]); };
  const auto points = random_points(space, 300, 2), asked = random_points(space, 100, 3);
  const auto values = values_of(points, function);
  const Surrogate exact = fit_surrogate(kernel, kernel.inputs(points), values, {});
  const Surrogate sparse =
      fit_surrogate(kernel, kernel.inputs(points), values, {.most_exact = 299, .most_inducing = 60});
  EXPECT_EQ(exact.process.size(), 300);
  EXPECT_EQ(sparse.process.size(), 60);
  EXPECT_TRUE(sparse.is_exact());
  const auto prediction = sparse.process.predict(kernel.inputs(asked));
  for (std::size_t i = 0; i < asked.size(); ++i)
    EXPECT_NEAR(sparse.transform.invert(prediction.mean[static_cast<Eigen::Index>(i)]), function(asked[i]), 0.01);
}

TEST(Surrogate, TellsNoiseFromTheFunction) {
  const Space space = cube(1);
  const Kernel kernel(space);
  const auto points = random_points(space, 60, 4);
  const auto noisy = noisy_sine(points, 0.2F), exact = noisy_sine(points, 0);
  const auto share = [&](const Eigen::VectorXd& values) {
    const auto parameters = fit_surrogate(kernel, kernel.inputs(points), values, {}).process.parameters();
    return parameters.noise / parameters.signal;
  };
  EXPECT_GT(share(noisy), 1e-3);
  EXPECT_LT(share(exact), 1e-4);
}

TEST(Surrogate, OfNoisyValuesSeveralAreDrawn) {
  const Space space = cube(2);
  const Kernel kernel(space);
  const auto points = random_points(space, 25, 4);
  const auto exact = noisy_sine(points, 0), noisy = noisy_sine(points, 0.3F);
  const auto fitted = [&](const Eigen::VectorXd& values, int draws, std::int64_t trial) {
    TrialRandom random(RandomStream(1, "test"), trial, 0);
    return fit_surrogates(kernel, kernel.inputs(points), values, {}, draws, random);
  };
  EXPECT_EQ(fitted(exact, 4, 0).size(), 1U);
  const auto drawn = fitted(noisy, 4, 0), again = fitted(noisy, 4, 0), others = fitted(noisy, 4, 1);
  ASSERT_EQ(drawn.size(), 5U);
  const auto length = [](const Surrogate& one) { return one.process.parameters().kernel.log_inverse_length; };
  const Surrogate best = fit_surrogate(kernel, kernel.inputs(points), noisy, {});
  EXPECT_EQ(length(drawn[0]), length(best));
  for (std::size_t i = 1; i < 5; ++i) {
    EXPECT_EQ(length(drawn[i]), length(again[i]));
    EXPECT_NE(length(drawn[i]), length(others[i]));
    EXPECT_NE(length(drawn[i]), length(drawn[i - 1]));
  }
  // Draws of a posterior stay near its peak: what explains the values much worse is none.
  for (const Surrogate& each : drawn)
    EXPECT_GT(each.process.log_marginal_likelihood(), best.process.log_marginal_likelihood() - 15);
}

TEST(Surrogate, SharesWhatBranchesHaveInCommon) {
  // What `shared` does was seen in one branch only; the other one is expected to do the same.
  const Space space = branches();
  const Kernel kernel(space);
  const auto points = random_points(space, 60, 6);
  const auto function = [&](const Point& x) {
    const double branch = space[1].level_of(x[1]) == 0 ? x[2] : space[1].level_of(x[1]) == 1 ? 1 + x[4] : 0.5;
    return 3 * std::pow(x[0] - 0.7, 2) + branch;
  };
  const Surrogate surrogate = fit_surrogate(kernel, kernel.inputs(points), values_of(points, function), {});
  const auto asked = random_points(space, 50, 7);
  const auto prediction = surrogate.process.predict(kernel.inputs(asked));
  double error = 0;
  for (std::size_t i = 0; i < asked.size(); ++i)
    error +=
        std::abs(surrogate.transform.invert(prediction.mean[static_cast<Eigen::Index>(i)]) - function(asked[i])) / 50;
  EXPECT_LT(error, 0.05);
}

TEST(Surrogate, HardValuesNeverFail) {
  const Space space = branches();
  const Kernel kernel(space);
  const auto points = random_points(space, 30, 8);
  std::vector<std::pair<std::string, Eigen::VectorXd>> cases = {
      {"constant", Eigen::VectorXd::Constant(30, 2.0)},
      {"outlier", Eigen::VectorXd::Random(30)},
      {"huge", 1e300 * Eigen::VectorXd::Random(30)},
      {"tiny", 1e-300 * Eigen::VectorXd::Random(30)},
      {"two values", (Eigen::VectorXd::Random(30).array() > 0).cast<double>().matrix()},
      {"extremes", Eigen::VectorXd::Zero(30)}};
  cases[1].second[7] = 1e30;
  cases[5].second[3] = 1e308;
  cases[5].second[4] = -1e308;
  for (const auto& [name, values] : cases)
    for (const bool warp : {false, true}) {
      const Surrogate surrogate = fit_surrogate(kernel, kernel.inputs(points), values, {.warp = warp});
      EXPECT_TRUE(surrogate.process.predict(kernel.inputs(points)).mean.allFinite()) << name;
    }
}

TEST(Surrogate, HardPointsNeverFail) {
  const Space space = cube(3);
  const Kernel kernel(space);
  std::vector<Point> same(25, Point{0.2, 0.2, 0.2}), cluster = same;
  for (std::size_t i = 0; i < 25; ++i) cluster[i][0] += 1e-12 * static_cast<double>(i);
  for (const auto& points : {same, cluster, std::vector<Point>{{0, 1, 0.5}}})
    for (const bool warp : {false, true}) {
      const Eigen::VectorXd values = Eigen::VectorXd::Random(static_cast<Eigen::Index>(points.size()));
      const Surrogate surrogate = fit_surrogate(kernel, kernel.inputs(points), values, {.warp = warp});
      EXPECT_TRUE(surrogate.process.predict(kernel.inputs(points)).mean.allFinite());
    }
}

TEST(Surrogate, AWarpIsKeptOnlyWhereItExplainsMore) {
  const Space space = cube(1);
  const Kernel kernel(space);
  std::vector<Point> points;
  for (int i = 0; i < 40; ++i) points.push_back({(i + 0.5) / 40});
  const auto warp_of = [&](const std::function<double(const Point&)>& function) {
    const auto parameters =
        fit_surrogate(kernel, kernel.inputs(points), values_of(points, function), {.warp = true}).process.parameters();
    return std::abs(parameters.kernel.log_a[0]) + std::abs(parameters.kernel.log_b[0]);
  };
  EXPECT_EQ(warp_of([](const Point& x) { return std::sin(9 * x[0]); }), 0);
  EXPECT_GT(warp_of([](const Point& x) { return std::sin(12 * std::pow(x[0], 0.25)); }), 0.1);
}

}  // namespace
}  // namespace trireme::tune
