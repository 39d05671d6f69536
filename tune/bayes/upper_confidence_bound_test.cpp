#include "tune/bayes/upper_confidence_bound.h"

#include "tune/bayes/acquisition_testing.h"

namespace trireme::tune {
namespace {

using namespace testing;

TEST(UpperConfidenceBound, IsTheMeanAndSoManyDeviations) {
  const Fitted noisy(0.2);
  const KernelInputs asked = noisy.kernel.inputs(random_points(noisy.space, 20, 5));
  const auto prediction = noisy.surrogate->process.predict(asked);
  const Eigen::VectorXd values = UpperConfidenceBound(*noisy.surrogate, noisy.none(), 1.5).values(asked);
  EXPECT_LT((values - (1.5 * prediction.variance.cwiseSqrt() - prediction.mean)).cwiseAbs().maxCoeff(), 1e-12);
}

TEST(UpperConfidenceBound, SlopesAreThoseOfFiniteDifferences) {
  const Fitted exact, noisy(0.2);
  const KernelInputs pending = exact.kernel.inputs(random_points(exact.space, 3, 9));
  expect_slopes(exact, UpperConfidenceBound(*exact.surrogate, exact.none(), 2));
  expect_slopes(noisy, UpperConfidenceBound(*noisy.surrogate, pending, 0.5));
}

TEST(UpperConfidenceBound, WhereATrialRunsTheDoubtIsGoneAndMeansStay) {
  const Fitted exact;
  const auto running = random_points(exact.space, 3, 9);
  const KernelInputs pending = exact.kernel.inputs(running);
  const KernelInputs asked = exact.kernel.inputs(random_points(exact.space, 20, 5));
  const GaussianProcess& process = exact.surrogate->process;
  const UpperConfidenceBound mean(*exact.surrogate, pending, 0), bound(*exact.surrogate, pending, 2);
  EXPECT_LT((mean.values(asked) + process.predict(asked).mean).cwiseAbs().maxCoeff(), 1e-6);
  // One observation leaves less than its own noise.
  const Eigen::VectorXd left = ((bound.values(pending) - mean.values(pending)) / 2).cwiseAbs2();
  EXPECT_LT(left.maxCoeff(), process.parameters().noise);
  EXPECT_GT(process.predict(pending).variance.minCoeff(), 2 * left.maxCoeff());
  EXPECT_GT((bound.values(asked) - mean.values(asked)).minCoeff(), 0);
}

TEST(UpperConfidenceBound, AllowsForMoreInMoreDimensionsAndLater) {
  EXPECT_NEAR(usual_kappa(5, 10), std::sqrt(std::log(20.0)), 1e-12);
  EXPECT_GT(usual_kappa(6, 10), usual_kappa(5, 10));
  EXPECT_GT(usual_kappa(5, 11), usual_kappa(5, 10));
}

}  // namespace
}  // namespace trireme::tune
