#include "tune/bayes/gaussian_process.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tune/bayes/kernel_testing.h"

namespace trireme::tune {
namespace {

using namespace testing;

struct Example {
  explicit Example(Space its_space, std::uint64_t seed = 1, std::size_t count = 14)
      : space(std::move(its_space)), kernel(space), inputs(kernel.inputs(random_points(space, count, seed))) {
    targets = Eigen::VectorXd::Random(inputs.size());
    parameters = {some_parameters(kernel, seed), 1.7, 0.01, 0.2};
  }
  GaussianProcess process() const { return GaussianProcess(kernel, inputs, targets, parameters); }

  Space space;
  Kernel kernel;
  KernelInputs inputs;
  Eigen::VectorXd targets;
  GaussianProcessParameters parameters;
};

TEST(GaussianProcess, GradientOfTheLikelihoodIsThatOfFiniteDifferences) {
  Example example(branches());
  const auto value = [&] { return example.process().log_marginal_likelihood(); };
  auto gradient = example.process().gradient();
  std::vector<double> analytic;
  for_each_number(gradient.kernel, [&](double& x, const std::string&) { analytic.push_back(x); });
  std::size_t at = 0;
  for_each_number(example.parameters.kernel, [&](double& x, const std::string& name) {
    EXPECT_NEAR(analytic[at], central_difference(x, value), 1e-5 * (1 + std::abs(analytic[at]))) << name;
    ++at;
  });
  GaussianProcessParameters& parameters = example.parameters;
  EXPECT_NEAR(gradient.log_signal, parameters.signal * central_difference(parameters.signal, value), 1e-6);
  EXPECT_NEAR(gradient.log_noise, parameters.noise * central_difference(parameters.noise, value, 1e-7), 1e-5);
  EXPECT_NEAR(gradient.mean, central_difference(parameters.mean, value), 1e-6);
}

TEST(GaussianProcess, OneMoreObservationIsTheSameAsAllAnew) {
  const Example all(branches(), 2, 20);
  const Eigen::Index n = 19;
  const KernelInputs last{all.inputs.x.bottomRows(1), all.inputs.active.bottomRows(1)};
  GaussianProcess grown(all.kernel, {all.inputs.x.topRows(n), all.inputs.active.topRows(n)}, all.targets.head(n),
                        all.parameters);
  grown.append(last, all.targets[n]);
  const GaussianProcess whole = all.process();
  const KernelInputs asked = all.kernel.inputs(random_points(all.space, 8, 77));
  EXPECT_LT((grown.predict(asked).mean - whole.predict(asked).mean).cwiseAbs().maxCoeff(), 1e-10);
  EXPECT_LT((grown.predict(asked).variance - whole.predict(asked).variance).cwiseAbs().maxCoeff(), 1e-10);
  EXPECT_NEAR(grown.log_marginal_likelihood(), whole.log_marginal_likelihood(), 1e-9);
}

TEST(GaussianProcess, RescaledIsTheSameAsAllAnew) {
  Example example(branches(), 3);
  GaussianProcess rescaled = example.process();
  rescaled.rescale(2.5, -0.7);
  example.parameters.signal *= 2.5;
  example.parameters.noise *= 2.5;
  example.parameters.mean = -0.7;
  const KernelInputs asked = example.kernel.inputs(random_points(example.space, 8, 77));
  const auto is = rescaled.predict(asked), ought = example.process().predict(asked);
  EXPECT_LT((is.mean - ought.mean).cwiseAbs().maxCoeff(), 1e-10);
  EXPECT_LT((is.variance - ought.variance).cwiseAbs().maxCoeff(), 1e-10);
  EXPECT_NEAR(rescaled.log_marginal_likelihood(), example.process().log_marginal_likelihood(), 1e-9);
}

TEST(GaussianProcess, CrossSlopesAreThoseOfFiniteDifferences) {
  const Example example(branches(), 3);
  const GaussianProcess process = example.process();
  KernelInputs point = example.kernel.inputs(example.space.snap({0.31, 0.5, kInactive, 0.4, 0.77}));
  const auto slopes = process.cross_slopes(point);
  const auto prediction = process.predict(point);
  EXPECT_NEAR(slopes.covariance.dot(process.weights()) + example.parameters.mean, prediction.mean[0], 1e-12);
  EXPECT_NEAR(slopes.variance, prediction.variance[0], 1e-12);
  for (Eigen::Index c = 0; c < example.kernel.dimensions(); ++c) {
    if (!example.kernel.column(c).ordered || (c == 2 /* penalty is not there */)) continue;
    const auto mean = [&] { return process.predict(point).mean[0]; };
    const auto variance = [&] { return process.predict(point).variance[0]; };
    EXPECT_NEAR(slopes.covariance_slope.col(c).dot(process.weights()), central_difference(point.x(0, c), mean), 1e-7);
    EXPECT_NEAR(slopes.variance_slope[c], central_difference(point.x(0, c), variance), 1e-7);
  }
}

TEST(GaussianProcess, CovarianceHasItsVariancesOnTheDiagonal) {
  const Example example(cube(3), 4);
  const GaussianProcess process = example.process();
  const KernelInputs asked = example.kernel.inputs(random_points(example.space, 8, 5));
  EXPECT_LT((process.covariance(asked).diagonal() - process.predict(asked).variance).cwiseAbs().maxCoeff(), 1e-12);
}

TEST(GaussianProcess, WithoutNoiseItGoesThroughItsObservationsAndKnowsIt) {
  Example example(cube(2), 6, 10);
  example.parameters.noise = 0;
  const auto prediction = example.process().predict(example.inputs);
  EXPECT_LT((prediction.mean - example.targets).cwiseAbs().maxCoeff(), 1e-8);
  EXPECT_LT(prediction.variance.maxCoeff(), 1e-8);
}

TEST(GaussianProcess, TheSamePointsManyTimesDoNotBreakIt) {
  Example example(cube(2), 7, 1);
  const Eigen::Index n = 40;
  const KernelInputs same{example.inputs.x.replicate(n, 1), example.inputs.active.replicate(n, 1)};
  example.parameters.noise = 0;
  GaussianProcess process(example.kernel, same, Eigen::VectorXd::Random(n), example.parameters);
  process.append(example.inputs, 3);
  EXPECT_TRUE(process.predict(example.inputs).mean.allFinite());
}

}  // namespace
}  // namespace trireme::tune
