#include "tune/bayes/acquisition.h"

#include <gtest/gtest.h>

#include <Eigen/Cholesky>
#include <cmath>

#include "tune/bayes/acquisition_search.h"
#include "tune/bayes/acquisition_testing.h"

namespace trireme::tune {
namespace {

using namespace testing;

TEST(LogImprovement, SlopesAreThoseOfFiniteDifferences) {
  const Fitted exact, noisy(0.2);
  const KernelInputs pending = exact.kernel.inputs(random_points(exact.space, 3, 9));
  expect_slopes(exact, LogImprovement(*exact.surrogate, exact.none(), 0.01, 1));
  expect_slopes(exact, LogImprovement(*exact.surrogate, pending, 0, 1));
  expect_slopes(noisy, LogImprovement(*noisy.surrogate, noisy.none(), 0, 1));
  expect_slopes(noisy, LogImprovement(*noisy.surrogate, pending, 0.1, 1));
}

// E[max(0, min over observed and pending points of f - f(x))] from draws of all of these together.
double monte_carlo(const Fitted& fitted, const KernelInputs& others, const Point& at) {
  const GaussianProcess& process = fitted.surrogate->process;
  const KernelInputs x = fitted.kernel.inputs(at);
  KernelInputs all{Eigen::MatrixXd(others.size() + 1, others.x.cols()),
                   Eigen::ArrayXXd(others.size() + 1, others.active.cols())};
  all.x << others.x, x.x;
  all.active << others.active, x.active;
  Eigen::MatrixXd covariance = process.covariance(all);
  covariance.diagonal().array() += 1e-9;
  const Eigen::MatrixXd factor = covariance.llt().matrixL();
  const Eigen::VectorXd mean = process.predict(all).mean;
  const int draws = 40000;
  std::vector<float> normals(static_cast<std::size_t>(draws * all.size()));
  RandomStream(3, "monte carlo").fill_normal(normals.data(), 0, normals.size(), 1);
  double sum = 0;
  for (int i = 0; i < draws; ++i) {
    const Eigen::VectorXd f =
        mean + factor * Eigen::Map<Eigen::VectorXf>(normals.data() + i * all.size(), all.size()).cast<double>();
    sum += std::max(0.0, f.head(others.size()).minCoeff() - f[others.size()]);
  }
  return sum / draws * std::exp(fitted.surrogate->transform.log_slope_below_best());
}

TEST(LogImprovement, OfNoisyValuesIsThatOfMonteCarlo) {
  // 16 answers stand for all: the expectation is near, over several points nearer.
  const Fitted noisy(0.2);
  double ours = 0, theirs = 0;
  const LogImprovement acquisition(*noisy.surrogate, noisy.none(), 0, 1);
  for (const Point& at : random_points(noisy.space, 30, 12)) {
    ours += std::exp(acquisition.values(noisy.kernel.inputs(at))[0]);
    theirs += monte_carlo(noisy, noisy.surrogate->process.inputs(), at);
  }
  EXPECT_NEAR(ours / theirs, 1, 0.25);
}

TEST(LogImprovement, OfExactValuesWithPendingOnesIsThatOfMonteCarlo) {
  const Fitted exact;
  const auto pending = random_points(exact.space, 3, 9);
  std::vector<Point> others = exact.points;
  others.insert(others.end(), pending.begin(), pending.end());
  double ours = 0, theirs = 0;
  const LogImprovement acquisition(*exact.surrogate, exact.kernel.inputs(pending), 0, 1);
  for (const Point& at : random_points(exact.space, 30, 13)) {
    ours += std::exp(acquisition.values(exact.kernel.inputs(at))[0]);
    theirs += monte_carlo(exact, exact.kernel.inputs(others), at);
  }
  EXPECT_NEAR(ours / theirs, 1, 0.25);
}

TEST(LogImprovement, PromisesLittleWhereATrialIsRunning) {
  const Fitted exact;
  const Point at = exact.space.snap({0.45, 0.5, kInactive, 0.4, 0.5});
  const KernelInputs here = exact.kernel.inputs(at);
  const double without = LogImprovement(*exact.surrogate, exact.none(), 0, 1).values(here)[0];
  const double with = LogImprovement(*exact.surrogate, here, 0, 1).values(here)[0];
  EXPECT_LT(with, without - 3);
}

TEST(LogFeasibility, IsLowWhereTrialsFailedAndHasTheRightSlopes) {
  const Fitted any;
  Eigen::VectorXd feasible(20);
  for (Eigen::Index i = 0; i < 20; ++i) feasible[i] = any.points[static_cast<std::size_t>(i)][0] < 0.5 ? 1 : -1;
  const LogFeasibility acquisition(any.kernel, any.kernel.inputs(any.points), feasible);
  const auto at = [&](double shared) {
    return acquisition.values(any.kernel.inputs(any.space.snap({shared, 0.5, kInactive, 0.4, 0.5})))[0];
  };
  EXPECT_GT(at(0.1), std::log(0.8));
  EXPECT_LT(at(0.9), std::log(0.2));
  expect_slopes(any, acquisition);
  expect_slopes(any, LogFeasibility(any.kernel, any.kernel.inputs(any.points), -feasible));
}

TEST(LogMeanAcquisition, IsTheLogarithmOfTheMean) {
  const Fitted any, other(0.1, 3);
  std::vector<std::unique_ptr<Acquisition>> parts;
  for (const Fitted* each : {&any, &other})
    parts.push_back(std::make_unique<LogImprovement>(*each->surrogate, any.none(), 0.0, 1));
  const KernelInputs asked = any.kernel.inputs(random_points(any.space, 5, 14));
  const Eigen::ArrayXd mean = (parts[0]->values(asked).array().exp() + parts[1]->values(asked).array().exp()) / 2;
  const LogMeanAcquisition acquisition(std::move(parts));
  EXPECT_LT((acquisition.values(asked).array() - mean.log()).abs().maxCoeff(), 1e-12);
  expect_slopes(any, acquisition);
}

TEST(SumAcquisition, IsTheSum) {
  const Fitted any;
  std::vector<std::unique_ptr<Acquisition>> parts;
  for (const double margin : {0.0, 0.1})
    parts.push_back(std::make_unique<LogImprovement>(*any.surrogate, any.none(), margin, 1));
  const KernelInputs asked = any.kernel.inputs(random_points(any.space, 5, 14));
  const Eigen::VectorXd sum = parts[0]->values(asked) + parts[1]->values(asked);
  const SumAcquisition acquisition(std::move(parts));
  EXPECT_LT((acquisition.values(asked) - sum).cwiseAbs().maxCoeff(), 1e-12);
  expect_slopes(any, acquisition);
}

TEST(AcquisitionSearch, FindsMoreThanManyDraws) {
  const Fitted fitted(0, 2);
  const LogImprovement acquisition(*fitted.surrogate, fitted.none(), 0, 1);
  const AcquisitionSearch search(fitted.space, fitted.kernel);
  TrialRandom random(RandomStream(1, "test"), 1, 0);
  const auto found = search.find(
      acquisition, fitted.points, [](const Point&) { return true; }, random, Region::whole(fitted.kernel.dimensions()));
  ASSERT_TRUE(found);
  EXPECT_NEAR(acquisition.values(fitted.kernel.inputs(found->point))[0], found->value, 1e-9);
  const double drawn = acquisition.values(fitted.kernel.inputs(random_points(fitted.space, 5000, 15))).maxCoeff();
  EXPECT_GE(found->value, drawn);
}

TEST(AcquisitionSearch, StaysWithinARegion) {
  const Space space({real("a"), real("b"), choice("c", {"x", "y"})});
  const Kernel kernel(space);
  const auto points = random_points(space, 15, 3);
  Eigen::VectorXd values(15);
  for (std::size_t i = 0; i < 15; ++i) values[static_cast<Eigen::Index>(i)] = -points[i][0] + points[i][1];
  const Surrogate surrogate = fit_surrogate(kernel, kernel.inputs(points), values, {});
  const LogImprovement acquisition(surrogate, kernel.inputs(std::vector<Point>{}), 0, 1);
  const AcquisitionSearch search(space, kernel);
  Region region = Region::whole(kernel.dimensions());
  region.low.head(2) << 0.2, 0.3;
  region.high.head(2) << 0.4, 0.6;
  TrialRandom random(RandomStream(1, "test"), 1, 0);
  for (const Point& point : search.draws(points, random, region)) {
    EXPECT_TRUE(point[0] >= 0.2 && point[0] <= 0.4) << point[0];
    EXPECT_TRUE(point[1] >= 0.3 && point[1] <= 0.6) << point[1];
  }
  const auto found = search.find(acquisition, points, [](const Point&) { return true; }, random, region);
  ASSERT_TRUE(found);
  EXPECT_NEAR(found->point[0], 0.4, 1e-6);  // its best corner
  EXPECT_NEAR(found->point[1], 0.3, 1e-6);
}

TEST(AcquisitionSearch, ObeysConstraintsAndWhatIsNotAllowed) {
  std::vector<Dimension> dimensions = {real("a"), real("b"), integer("n", 1, 5)};
  const Space space(dimensions, {Constraint::parse("a + b <= 0.6")});
  const Kernel kernel(space);
  const auto points = random_points(space, 15, 3);
  Eigen::VectorXd values(15);
  for (std::size_t i = 0; i < 15; ++i)
    values[static_cast<Eigen::Index>(i)] = -points[i][0] - points[i][1] - points[i][2];
  const Surrogate surrogate = fit_surrogate(kernel, kernel.inputs(points), values, {});
  const LogImprovement acquisition(surrogate, kernel.inputs(std::vector<Point>{}), 0, 1);
  const AcquisitionSearch search(space, kernel);
  const Region whole = Region::whole(kernel.dimensions());
  const std::int64_t forbidden = 4;  // the level of n = 5, which is best
  for (std::int64_t trial = 0; trial < 5; ++trial) {
    TrialRandom random(RandomStream(1, "test"), trial, 0);
    const auto allowed = [&](const Point& point) { return space[2].level_of(point[2]) != forbidden; };
    const auto found = search.find(acquisition, points, allowed, random, whole);
    ASSERT_TRUE(found);
    EXPECT_TRUE(space.is_feasible(found->point));
    EXPECT_TRUE(allowed(found->point));
    EXPECT_GT(found->point[0] + found->point[1], 0.55);  // up to the constraint, not away from it
  }
  TrialRandom random(RandomStream(1, "test"), 9, 0);
  EXPECT_FALSE(search.find(acquisition, points, [](const Point&) { return false; }, random, whole));
}

}  // namespace
}  // namespace trireme::tune
