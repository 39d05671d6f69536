#include "train/recovery/save_interval.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/base/random.h"

namespace trireme::train {
namespace {

// Seconds for an hour of training, losses drawn from an exponential distribution: the model that the formula is of.
double simulated_seconds(double interval, double cost, double mean, std::uint64_t seed) {
  const RandomStream random(seed, "losses");
  std::uint64_t draw = 0;
  const auto next_loss = [&] { return -mean * std::log1p(-random.uniform(draw++)); };
  constexpr double kWork = 3600;
  double clock = 0, saved = 0, loss_at = next_loss();
  while (saved < kWork) {
    const double work = std::min(interval, kWork - saved), end = clock + work + cost;
    if (end <= loss_at) {
      clock = end;
      saved += work;
    } else {
      clock = loss_at;
      loss_at = clock + next_loss();
    }
  }
  return clock;
}

TEST(SaveInterval, IsWhatASimulationOfLossesFindsBest) {
  for (const auto& [cost, mean] : {std::pair{1.0, 200.0}, {0.1, 100.0}, {5.0, 300.0}}) {
    const double best = best_save_interval(cost, mean, 0, 1);
    const auto seconds = [&, cost = cost, mean = mean](double interval) {
      double sum = 0;
      for (std::uint64_t seed = 0; seed < 2000; ++seed) sum += simulated_seconds(interval, cost, mean, seed);
      return sum;
    };
    const double at_best = seconds(best);
    for (const double factor : {0.25, 0.5, 2.0, 4.0}) EXPECT_LT(at_best, seconds(factor * best)) << cost << factor;
  }
}

TEST(SaveInterval, IsYoungsToFirstOrder) {
  EXPECT_NEAR(best_save_interval(0.01, 1e6, 0, 1), std::sqrt(2 * 0.01 * 1e6), 0.01);
}

TEST(SaveInterval, IsNeverShorterThanASaveOrThanTheBudgetAllows) {
  EXPECT_EQ(best_save_interval(0.01, 100, 30, 1), 30);
  EXPECT_DOUBLE_EQ(best_save_interval(2, 100, 0, 0.01), 198);
  EXPECT_GT(best_save_interval(2, 1e9, 0, 0.01), 60000) << "the budget is a bound, not an aim";
  EXPECT_EQ(best_save_interval(1000, 10, 0, 1), 10) << "saves longer than what is left to them";
}

TEST(SaveInterval, LossesThatWereSeenCountMoreTheMoreThereAre) {
  EXPECT_DOUBLE_EQ(mean_seconds_between_failures(100, {}), 360000);
  EXPECT_DOUBLE_EQ(mean_seconds_between_failures(100, {0, 360000}), 720000) << "a long time without one";
  EXPECT_NEAR(mean_seconds_between_failures(1, {99, 99 * 60.0}), 95.4, 0.1) << "one a minute";
}

}  // namespace
}  // namespace trireme::train
