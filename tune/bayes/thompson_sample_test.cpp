#include "tune/bayes/thompson_sample.h"

#include "tune/bayes/acquisition_testing.h"

namespace trireme::tune {
namespace {

using namespace testing;

TEST(ThompsonSample, ManyAreDistributedAsTheProcess) {
  for (const double noise : {0.0, 0.2}) {
    const Fitted fitted(noise);
    const GaussianProcess& process = fitted.surrogate->process;
    const KernelInputs support = fitted.kernel.inputs(random_points(fitted.space, 30, 5));
    const int draws = 4000;
    Eigen::MatrixXd samples(30, draws);
    for (int i = 0; i < draws; ++i)
      samples.col(i) = -ThompsonSample(*fitted.surrogate, support, static_cast<std::uint64_t>(i)).values(support);
    const Eigen::VectorXd mean = samples.rowwise().mean();
    const Eigen::MatrixXd rest = samples.colwise() - mean;
    const Eigen::MatrixXd covariance = rest * rest.transpose() / draws;
    const Eigen::MatrixXd expected = process.covariance(support);
    const double scale = expected.diagonal().maxCoeff();
    EXPECT_LT((mean - process.predict(support).mean).cwiseAbs().maxCoeff(), 5 * std::sqrt(scale / draws)) << noise;
    EXPECT_LT((covariance - expected).cwiseAbs().maxCoeff(), 5 * scale * std::sqrt(2.0 / draws)) << noise;
  }
}

TEST(ThompsonSample, GoesThroughExactValues) {
  const Fitted exact;
  const KernelInputs support = exact.kernel.inputs(random_points(exact.space, 30, 5));
  const GaussianProcess& process = exact.surrogate->process;
  const Eigen::VectorXd sample = -ThompsonSample(*exact.surrogate, support, 1).values(process.inputs());
  EXPECT_LT((sample - process.targets()).cwiseAbs().maxCoeff(), 5e-3);
}

TEST(ThompsonSample, SlopesAreThoseOfFiniteDifferences) {
  const Fitted exact, noisy(0.2);
  const KernelInputs support = exact.kernel.inputs(random_points(exact.space, 30, 5));
  expect_slopes(exact, ThompsonSample(*exact.surrogate, support, 1));
  expect_slopes(noisy, ThompsonSample(*noisy.surrogate, support, 2));
}

}  // namespace
}  // namespace trireme::tune
