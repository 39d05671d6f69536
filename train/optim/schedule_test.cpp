#include "train/optim/schedule.h"

#include <gtest/gtest.h>

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
