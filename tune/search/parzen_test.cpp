#include "tune/search/parzen.h"

#include <gmock/gmock.h>

#include <array>

#include "tune/search/search_testing.h"

namespace trireme::tune {
namespace {

using namespace testing;

constexpr int kCells = 1000;

double integral_of(const ParzenEstimator& density, double from, double to) {
  double sum = 0;
  for (int i = 0; i < kCells; ++i) sum += std::exp(density.log_density({from + (to - from) * (i + 0.5) / kCells}));
  return sum * (to - from) / kCells;
}

TEST(ParzenEstimator, HasVolumeOneHoweverManyKernelsAndWhereverTheyLie) {
  const Space space({real("x", 0, 1)});
  const std::vector<std::vector<Point>> cases = {
      {}, {{0.0}}, {{0.5}}, {{0.3}, {0.3}}, {{0.0}, {1.0}, {0.97}}, {{0.1}, {0.12}, {0.5}, {0.51}, {0.52}, {0.9}}};
  for (const auto& centres : cases)
    EXPECT_NEAR(integral_of(ParzenEstimator(space, {0}, centres), 0, 1), 1, 1e-4) << centres.size() << " kernels";
}

TEST(ParzenEstimator, HasProbabilitiesThatAddUpToOne) {
  const Space space({choice("x", {true, false, std::string("a"), std::string("b")}, {1, 2, 3, 2})});
  const auto at = [&](std::int64_t level) { return Point{space[0].position_of_level(level)}; };
  const ParzenEstimator density(space, {0}, {at(0), at(2), at(2)});
  double sum = 0;
  for (std::int64_t level = 0; level < 4; ++level) sum += std::exp(density.log_density(at(level)));
  EXPECT_NEAR(sum, 1, 1e-12);
  // Three kernels spread 4/4 beside 1 at their own; the fourth is the space's distribution.
  EXPECT_NEAR(std::exp(density.log_density(at(2))), (0.375 / 2 + 2 * 1.375 / 2 + 0.375) / 4, 1e-12);
}

TEST(ParzenEstimator, IsTheSpacesDistributionWithoutPoints) {
  const Space space({choice("x", {true, false}, {1, 3}), real("y", 0, 1)});
  const ParzenEstimator density(space, {0, 1}, {});
  EXPECT_NEAR(std::exp(density.log_density({space[0].position_of(false), 0.3})), 0.75, 1e-12);
}

TEST(ParzenEstimator, DrawsAsOftenAsItsDensitySays) {
  const Space space({real("x", 0, 1)});
  const ParzenEstimator density(space, {0}, {{0.02}, {0.3}, {0.34}, {0.9}});
  constexpr int kDraws = 4000;
  std::array<double, 10> counts{};
  const RandomStream stream(1, "parzen_test");
  for (int i = 0; i < kDraws; ++i) {
    TrialRandom random(stream, i, 0);
    Point point(1);
    density.draw(random, point);
    counts[static_cast<std::size_t>(point[0] * 10)] += 1;
  }
  double misfit = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double mean = kDraws * integral_of(density, static_cast<double>(i) / 10, static_cast<double>(i + 1) / 10);
    misfit += (counts[i] - mean) * (counts[i] - mean) / mean;
  }
  EXPECT_LT(misfit, 27.9) << "chi-square of 9 degrees of freedom, once in a thousand times";
}

TEST(ParzenEstimator, IsNarrowWhereItsPointsLieCloseTogether) {
  const Space space({real("x", 0, 1), real("y", 0, 1)});
  std::vector<Point> centres;
  for (int i = 0; i < 30; ++i) centres.push_back({0.4 + 0.002 * i, (i + 0.5) / 30});
  const ParzenEstimator density(space, {0, 1}, centres);
  EXPECT_GT(density.log_density({0.43, 0.8}) - density.log_density({0.63, 0.8}), 1);
  EXPECT_LT(density.log_density({0.43, 0.5}) - density.log_density({0.43, 0.8}), 0.2);
}

}  // namespace
}  // namespace trireme::tune
