#include "tune/bayes/hypervolume_improvement.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tune/bayes/kernel_testing.h"
#include "tune/search/pareto.h"

namespace trireme::tune {
namespace {

using namespace testing;
using Values = std::vector<std::vector<double>>;

// Objectives whose best points are apart, with noise or without.
struct Several {
  explicit Several(std::size_t objectives, double noise = 0, std::size_t count = 18)
      : space(cube(3)), kernel(space), points(random_points(space, count, 5)) {
    for (std::size_t m = 0; m < objectives; ++m) {
      std::vector<float> draws(count);
      RandomStream(m, "noise").fill_normal(draws.data(), 0, count, 1);
      Eigen::VectorXd values(static_cast<Eigen::Index>(count));
      for (std::size_t i = 0; i < count; ++i)
        values[static_cast<Eigen::Index>(i)] = noise * draws[i] +
                                               std::pow(points[i][0] - 0.3 * static_cast<double>(m), 2) +
                                               std::pow(points[i][1] - 0.5, 2) + 0.5 * points[i][2];
      surrogates.push_back(fit_surrogate(kernel, kernel.inputs(points), values, {.delta = kOnlyStandardised}));
    }
  }
  KernelInputs none() const { return kernel.inputs(std::vector<Point>{}); }
  Values targets() const {
    Values values(points.size());
    for (std::size_t i = 0; i < points.size(); ++i)
      for (const Surrogate& each : surrogates)
        values[i].push_back(each.process.targets()[static_cast<Eigen::Index>(i)]);
    return values;
  }

  Space space;
  Kernel kernel;
  std::vector<Point> points;
  std::vector<Surrogate> surrogates;
};

TEST(LogHypervolumeImprovement, IsThatOfMonteCarlo) {
  for (const std::size_t objectives : {2, 3, 4}) {
    const Several several(objectives);
    const LogHypervolumeImprovement acquisition(several.surrogates, several.none(), 1);
    Values values = several.targets();
    const double before = hypervolume(values, acquisition.reference());
    EXPECT_GT(before, 0);
    values.emplace_back(objectives);
    double ours = 0, theirs = 0, square = 0;
    constexpr std::uint64_t kDraws = 3000;
    for (const Point& at : random_points(several.space, 6, 21)) {
      const KernelInputs here = several.kernel.inputs(at);
      ours += std::exp(acquisition.values(here)[0]);
      std::vector<GaussianProcess::Prediction> predictions;
      for (const Surrogate& each : several.surrogates) predictions.push_back(each.process.predict(here));
      double sum = 0, squares = 0;
      for (std::uint64_t draw = 0; draw < kDraws; ++draw) {
        for (std::size_t m = 0; m < objectives; ++m) {
          TrialRandom random(RandomStream(7, "monte carlo"), static_cast<std::int64_t>(draw), m);
          values.back()[m] = predictions[m].mean[0] + std::sqrt(predictions[m].variance[0]) * random.normal();
        }
        const double gain = hypervolume(values, acquisition.reference()) - before;
        sum += gain / kDraws;
        squares += gain * gain / kDraws;
      }
      theirs += sum;
      square += (squares - sum * sum) / kDraws;
    }
    EXPECT_NEAR(ours, theirs, 4 * std::sqrt(square)) << objectives;
    EXPECT_LT(std::sqrt(square), 0.1 * theirs) << objectives;
  }
}

TEST(LogHypervolumeImprovement, OfOneObjectiveIsTheImprovement) {
  const Several one(1);
  const KernelInputs asked = one.kernel.inputs(random_points(one.space, 20, 3));
  const Eigen::ArrayXd ours = LogHypervolumeImprovement(one.surrogates, one.none(), 1).values(asked);
  const Eigen::ArrayXd plain = LogImprovement(one.surrogates[0], one.none(), 0, 1).values(asked);
  EXPECT_LT((ours - plain + one.surrogates[0].transform.log_slope_below_best()).abs().maxCoeff(), 1e-9);
}

TEST(LogHypervolumeImprovement, SlopesAreThoseOfFiniteDifferences) {
  for (const std::size_t objectives : {2, 3})
    for (const double noise : {0.0, 0.2}) {
      const Several several(objectives, noise);
      const KernelInputs pending = several.kernel.inputs(random_points(several.space, 2, 9));
      for (const KernelInputs& open : {several.none(), pending}) {
        const LogHypervolumeImprovement acquisition(several.surrogates, open, 1);
        KernelInputs point = several.kernel.inputs({0.31, 0.44, 0.12});
        Eigen::VectorXd slope;
        EXPECT_NEAR(acquisition.value(point, slope), acquisition.values(point)[0], 1e-9);
        for (Eigen::Index c = 0; c < 3; ++c) {
          const auto value = [&] { return acquisition.values(point)[0]; };
          EXPECT_NEAR(slope[c], central_difference(point.x(0, c), value, 1e-6), 1e-4 * (1 + std::abs(slope[c])))
              << objectives << " " << noise << " " << c;
        }
      }
    }
}

TEST(LogHypervolumeImprovement, IsFiniteWhereNothingCanBeGained) {
  Several several(2);
  const LogHypervolumeImprovement acquisition(several.surrogates, several.none(), 1);
  const Eigen::VectorXd known = acquisition.values(several.kernel.inputs(several.points));
  EXPECT_TRUE(known.allFinite()) << known.transpose();
}

}  // namespace
}  // namespace trireme::tune
