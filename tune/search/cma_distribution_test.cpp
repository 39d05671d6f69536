#include "tune/search/cma_distribution.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <functional>
#include <numbers>

namespace trireme::tune {
namespace {

using Eigen::VectorXd;

CmaDistribution centred(Eigen::Index n, std::size_t generation_size, const VectorXd& least) {
  return CmaDistribution(VectorXd::Constant(n, 0.5), 0.3, generation_size, least);
}

// The best value of the last of some generations.
double minimize(CmaDistribution& distribution, std::size_t generation_size, int generations,
                const std::function<double(const VectorXd&)>& f) {
  const RandomStream stream(1, "cma_distribution_test");
  double best = 0;
  for (int generation = 0; generation < generations; ++generation) {
    std::vector<VectorXd> samples;
    for (std::size_t k = 0; k < generation_size; ++k) {
      TrialRandom random(stream, generation, k);
      samples.push_back(distribution.draw(random));
    }
    std::sort(samples.begin(), samples.end(), [&](const auto& a, const auto& b) { return f(a) < f(b); });
    best = f(samples[0]);
    distribution.update(samples);
  }
  return best;
}

TEST(CmaDistribution, LearnsTheShapeOfAValleyThatRunsAcrossTheAxes) {
  constexpr Eigen::Index kN = 5;
  // Curvatures from 1 to 10^4 along directions that share nothing with the axes. Were the shape not learned, the
  // flattest direction alone would need thousands of generations.
  Eigen::MatrixXd mixed(kN, kN);
  for (Eigen::Index i = 0; i < kN; ++i)
    for (Eigen::Index j = 0; j < kN; ++j) mixed(i, j) = std::cos(std::numbers::pi * (i + 0.5) * j / kN);
  const auto f = [&](const VectorXd& x) {
    const VectorXd y = mixed.transpose() * (x - VectorXd::Constant(kN, 0.3));
    double sum = 0;
    for (Eigen::Index j = 0; j < kN; ++j) sum += std::pow(10, j) * y[j] * y[j];
    return sum;
  };
  auto distribution = centred(kN, 8, VectorXd::Zero(kN));
  EXPECT_LT(minimize(distribution, 8, 180, f), 1e-7);
  EXPECT_GT(distribution.condition(), 300);
}

TEST(CmaDistribution, NeverLeavesTheBoxEvenWhereTheOptimumIsACorner) {
  auto distribution = centred(3, 7, VectorXd::Zero(3));
  EXPECT_LT(minimize(distribution, 7, 80, [](const VectorXd& x) { return x.sum(); }), 1e-3);
  const RandomStream stream(2, "cma_distribution_test");
  for (int k = 0; k < 100; ++k) {
    TrialRandom random(stream, k, 0);
    const VectorXd x = distribution.draw(random);
    EXPECT_TRUE((x.array() >= 0).all() && (x.array() <= 1).all());
  }
  EXPECT_TRUE((distribution.mean().array() >= 0).all());
}

TEST(CmaDistribution, KeepsTheLeastDeviationOfADiscreteDimension) {
  VectorXd least = VectorXd::Zero(3);
  least[1] = 0.05;
  auto distribution = centred(3, 7, least);
  minimize(distribution, 7, 150, [](const VectorXd& x) { return (x - VectorXd::Constant(3, 0.4)).squaredNorm(); });
  const RandomStream stream(2, "cma_distribution_test");
  VectorXd squares = VectorXd::Zero(3);
  for (int k = 0; k < 1000; ++k) {
    TrialRandom random(stream, k, 0);
    squares += (distribution.draw(random) - distribution.mean()).cwiseAbs2() / 1000;
  }
  EXPECT_NEAR(std::sqrt(squares[1]), 0.05, 0.005);
  EXPECT_LT(std::sqrt(squares[0]), 1e-3);
}

TEST(CmaDistribution, IsNotBlownUpByValuesThatSayNothing) {
  auto distribution = centred(4, 8, VectorXd::Zero(4));
  minimize(distribution, 8, 500, [](const VectorXd&) { return 1.0; });
  EXPECT_LE(distribution.largest_deviation(), 1);
  EXPECT_TRUE(distribution.mean().allFinite());
}

TEST(CmaDistribution, LearnsFromOneSample) {
  auto distribution = centred(2, 6, VectorXd::Zero(2));
  const VectorXd sample = VectorXd::Constant(2, 0.8);
  distribution.update({sample});
  EXPECT_TRUE(distribution.mean().isApprox(sample));
}

}  // namespace
}  // namespace trireme::tune
