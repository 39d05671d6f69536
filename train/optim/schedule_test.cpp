#include "train/optim/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

namespace trireme::train {
namespace {

TrainConfig config(const char* name, std::int64_t warmup, std::int64_t steps) {
  TrainConfig c;
  c.steps = steps;
  c.schedule.name = name;
  c.schedule.warmup_steps = warmup;
  c.schedule.final_ratio = 0.1;
  c.optimizer.learning_rate = 1;
  return c;
}

TEST(Schedule, RisesThenFallsToTheFinalRatio) {
  const TrainConfig c = config("cosine", 10, 110);
  EXPECT_DOUBLE_EQ(learning_rate(c, 1), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate(c, 10), 1);
  EXPECT_NEAR(learning_rate(c, 60), 0.55, 1e-12);
  EXPECT_NEAR(learning_rate(c, 110), 0.1, 1e-12);
  for (std::int64_t step = 11; step < 110; ++step) EXPECT_GT(learning_rate(c, step), learning_rate(c, step + 1));
}

TEST(Schedule, ConstantStaysAtThePeak) {
  const TrainConfig c = config("constant", 10, 110);
  EXPECT_DOUBLE_EQ(learning_rate(c, 5), 0.5);
  EXPECT_DOUBLE_EQ(learning_rate(c, 11), 1);
  EXPECT_DOUBLE_EQ(learning_rate(c, 110), 1);
}

TEST(Schedule, LinearFallsInAStraightLine) {
  const TrainConfig c = config("linear", 10, 110);
  EXPECT_DOUBLE_EQ(learning_rate(c, 10), 1);
  for (std::int64_t step = 11; step <= 110; ++step)
    EXPECT_NEAR(learning_rate(c, step), 1 - 0.9 * static_cast<double>(step - 10) / 100, 1e-12);
}

TEST(Schedule, WsdStaysAtThePeakUntilItDecays) {
  TrainConfig c = config("wsd", 10, 200);
  c.schedule.decay_shape = "linear";
  for (std::int64_t step = 10; step <= 180; ++step) EXPECT_DOUBLE_EQ(learning_rate(c, step), 1);
  EXPECT_NEAR(learning_rate(c, 190), 0.55, 1e-12) << "half of a tenth of the steps";
  EXPECT_NEAR(learning_rate(c, 200), 0.1, 1e-12);
  c.schedule.decay_steps = 50;
  EXPECT_DOUBLE_EQ(learning_rate(c, 150), 1);
  EXPECT_NEAR(learning_rate(c, 175), 0.55, 1e-12);
}

TEST(Schedule, WsdFallsInAnyOfItsShapes) {
  TrainConfig c = config("wsd", 0, 1000);
  const auto quarter = [&](const char* shape) {
    c.schedule.decay_shape = shape;
    EXPECT_DOUBLE_EQ(learning_rate(c, 900), 1) << shape;
    EXPECT_NEAR(learning_rate(c, 1000), 0.1, 1e-12) << shape;
    return (learning_rate(c, 925) - 0.1) / 0.9;
  };
  EXPECT_NEAR(quarter("linear"), 0.75, 1e-12);
  EXPECT_NEAR(quarter("1-sqrt"), 0.5, 1e-12);
  EXPECT_NEAR(quarter("cosine"), 0.5 * (1 + std::sqrt(0.5)), 1e-12);
}

TEST(Schedule, MoreStepsLeaveThePastAsItWasWhereTheCurveDoesNotDependOnThem) {
  EXPECT_TRUE(same_learning_rates(config("constant", 10, 300), 200, 200));
  EXPECT_TRUE(same_learning_rates(config("cosine", 10, 300), 200, 10)) << "still in the warm-up";
  EXPECT_FALSE(same_learning_rates(config("cosine", 10, 300), 200, 11));
  EXPECT_FALSE(same_learning_rates(config("linear", 10, 300), 200, 11));
  EXPECT_TRUE(same_learning_rates(config("wsd", 10, 300), 200, 180));
  EXPECT_FALSE(same_learning_rates(config("wsd", 10, 300), 200, 181)) << "the decay had begun";
}

TEST(Schedule, WithoutWarmUpTheFirstStepIsAlmostThePeak) {
  EXPECT_DOUBLE_EQ(learning_rate(config("constant", 0, 10), 1), 1);
  EXPECT_GT(learning_rate(config("cosine", 0, 1000), 1), 0.999);
}

TEST(Schedule, AllStepsMayBeWarmUp) {
  const TrainConfig c = config("cosine", 10, 10);
  EXPECT_DOUBLE_EQ(learning_rate(c, 10), 1);
}

}  // namespace
}  // namespace trireme::train
