#include "tune/bayes/sparse_process.h"

#include <gtest/gtest.h>

#include <Eigen/Cholesky>
#include <Eigen/LU>
#include <numeric>
#include <set>

#include "tune/bayes/kernel_testing.h"

namespace trireme::tune {
namespace {

using namespace testing;

Eigen::VectorXd normals(Eigen::Index count, std::uint64_t seed) {
  std::vector<float> drawn(static_cast<std::size_t>(count));
  RandomStream(seed, "test/normals").fill_normal(drawn.data(), 0, drawn.size(), 1);
  return Eigen::Map<Eigen::VectorXf>(drawn.data(), count).cast<double>();
}

// A smooth function of all dimensions, at many points.
struct Observed {
  Observed(Space its_space, std::size_t count, double noise, std::uint64_t seed = 1)
      : space(std::move(its_space)), kernel(space), inputs(kernel.inputs(random_points(space, count, seed))) {
    const GaussianProcess truth(kernel, rows(10), normals(10, 3), {some_parameters(kernel, 5), 1, 0.1, 0});
    parameters = {some_parameters(kernel, 5), 1.3, noise, 0.1};
    targets = truth.predict(inputs).mean + std::sqrt(noise) * normals(inputs.size(), seed);
  }
  KernelInputs rows(Eigen::Index count) const { return {inputs.x.topRows(count), inputs.active.topRows(count)}; }
  GaussianProcess exact() const { return GaussianProcess(kernel, inputs, targets, parameters); }
  GaussianProcess sparse(Eigen::Index most) const {
    return sparse_process(kernel, inputs, targets, parameters,
                          inducing_points(kernel, inputs, targets, parameters.kernel, most));
  }
  KernelInputs asked() const { return kernel.inputs(random_points(space, 200, 99)); }

  Space space;
  Kernel kernel;
  KernelInputs inputs;
  Eigen::VectorXd targets;
  GaussianProcessParameters parameters;
};

TEST(SparseProcess, WithAllPointsItIsTheExactOne) {
  for (const double noise : {1e-6, 1e-2}) {
    const Observed observed(branches(), 40, noise);
    std::vector<Eigen::Index> all(40);
    std::iota(all.begin(), all.end(), Eigen::Index{0});
    const auto sparse = sparse_process(observed.kernel, observed.inputs, observed.targets, observed.parameters, all);
    const auto ours = sparse.predict(observed.asked()), exact = observed.exact().predict(observed.asked());
    EXPECT_LT((ours.mean - exact.mean).cwiseAbs().maxCoeff(), 1e-6) << noise;
    EXPECT_LT((ours.variance - exact.variance).cwiseAbs().maxCoeff(), 1e-6) << noise;
  }
}

// Equations of Quinonero-Candela and Rasmussen 2005, section 6, as they stand there, with matrices of all observations.
TEST(SparseProcess, IsTheFullyIndependentTrainingConditional) {
  const Observed observed(branches(), 60, 0.05);
  const auto& p = observed.parameters;
  const std::vector<Eigen::Index> chosen =
      inducing_points(observed.kernel, observed.inputs, observed.targets, p.kernel, 12);
  const KernelInputs warped = observed.kernel.warp(observed.inputs, p.kernel);
  const KernelInputs points = rows_of(warped, chosen);
  const KernelInputs asked = observed.asked(), warped_asked = observed.kernel.warp(asked, p.kernel);
  const auto k = [&](const KernelInputs& a, const KernelInputs& b) -> Eigen::MatrixXd {
    return p.signal * observed.kernel.covariance(p.kernel, a, b);
  };
  const Eigen::MatrixXd inverse = k(points, points).inverse();
  const Eigen::MatrixXd q = k(warped, points) * inverse * k(points, warped);
  const Eigen::MatrixXd cross = k(warped_asked, points) * inverse * k(points, warped);
  Eigen::MatrixXd all = q;
  all.diagonal() = k(warped, warped).diagonal();
  all.diagonal().array() += p.noise;
  const Eigen::VectorXd mean = cross * all.ldlt().solve((observed.targets.array() - p.mean).matrix());
  const Eigen::MatrixXd covariance = k(warped_asked, warped_asked) - cross * all.ldlt().solve(cross.transpose());

  const GaussianProcess sparse = sparse_process(observed.kernel, observed.inputs, observed.targets, p, chosen);
  EXPECT_EQ(sparse.size(), 12);
  const auto ours = sparse.predict(asked);
  EXPECT_LT((ours.mean.array() - p.mean - mean.array()).abs().maxCoeff(), 1e-8);
  EXPECT_LT((ours.variance - covariance.diagonal()).cwiseAbs().maxCoeff(), 1e-8);
  EXPECT_LT((sparse.covariance(asked).diagonal() - covariance.diagonal()).cwiseAbs().maxCoeff(), 1e-8);
}

TEST(SparseProcess, ManyObservationsSayMoreThanTheChosenOnesAlone) {
  const Observed observed(cube(3), 1500, 0.01);
  const std::vector<Eigen::Index> chosen =
      inducing_points(observed.kernel, observed.inputs, observed.targets, observed.parameters.kernel, 60);
  const GaussianProcess alone(observed.kernel, rows_of(observed.inputs, chosen), observed.targets(chosen),
                              observed.parameters);
  const KernelInputs asked = observed.asked();
  const Eigen::VectorXd truth = observed.exact().predict(asked).mean;
  const auto error = [&](const GaussianProcess& process) { return (process.predict(asked).mean - truth).norm(); };
  EXPECT_LT(error(observed.sparse(60)), 0.7 * error(alone));
  EXPECT_LT(error(observed.sparse(240)), 0.7 * error(observed.sparse(60)));
}

TEST(SparseProcess, InducingPointsAreTheBestAndTheFarthest) {
  const Observed observed(cube(2), 500, 1e-4);
  const auto chosen =
      inducing_points(observed.kernel, observed.inputs, observed.targets, observed.parameters.kernel, 40);
  ASSERT_EQ(chosen.size(), 40U);
  EXPECT_EQ(std::set(chosen.begin(), chosen.end()).size(), 40U);
  Eigen::Index best = 0;
  observed.targets.minCoeff(&best);
  EXPECT_EQ(chosen.front(), best);
  const Eigen::VectorXd of_chosen = observed.targets(chosen);
  EXPECT_LT(of_chosen.head(20).maxCoeff(), of_chosen.tail(20).mean());
  // Whatever was observed, something chosen is near it: the largest distance falls with their number.
  const auto farthest = [&](Eigen::Index most) {
    const auto points =
        inducing_points(observed.kernel, observed.inputs, observed.targets, observed.parameters.kernel, most);
    double worst = 0;
    for (Eigen::Index i = 0; i < observed.inputs.size(); ++i)
      worst = std::max(worst, std::sqrt((observed.inputs.x(points, Eigen::all).rowwise() - observed.inputs.x.row(i))
                                            .rowwise()
                                            .squaredNorm()
                                            .minCoeff()));
    return worst;
  };
  EXPECT_LT(farthest(80), 0.8 * farthest(20));
}

TEST(SparseProcess, CopiesAreChosenOnce) {
  Observed observed(cube(2), 30, 1e-6);
  observed.inputs = {observed.inputs.x.replicate(20, 1), observed.inputs.active.replicate(20, 1)};
  observed.targets = observed.targets.replicate(20, 1).eval();
  const auto chosen =
      inducing_points(observed.kernel, observed.inputs, observed.targets, observed.parameters.kernel, 100);
  EXPECT_EQ(chosen.size(), 30U);
  observed.parameters.noise = 0;
  EXPECT_TRUE(observed.sparse(100).predict(observed.asked()).mean.allFinite());
}

}  // namespace
}  // namespace trireme::tune
