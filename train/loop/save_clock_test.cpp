#include "train/loop/save_clock.h"

#include <gtest/gtest.h>

namespace trireme::train {
namespace {

SaveClock::Clock::time_point after(SaveClock::Clock::time_point begin, double seconds) {
  return begin + std::chrono::duration_cast<SaveClock::Clock::duration>(std::chrono::duration<double>(seconds));
}

TEST(SaveClock, WithoutAnIntervalNothingIsDueButWhatFailed) {
  SaveClock clock({}, 1, {});
  const auto now = SaveClock::Clock::now();
  clock.begins(now);
  EXPECT_FALSE(clock.is_due(after(now, 1e9)));
  clock.failed(now);
  EXPECT_FALSE(clock.is_due(after(now, 4.9)));
  EXPECT_TRUE(clock.is_due(after(now, 5.1)));
}

TEST(SaveClock, SecondsAreCountedFromTheBeginningOfTheSaveBefore) {
  CheckpointConfig config;
  config.every_seconds = 30;
  SaveClock clock(config, 1, {});
  const auto now = SaveClock::Clock::now();
  clock.begins(now);
  EXPECT_FALSE(clock.is_due(after(now, 29)));
  EXPECT_TRUE(clock.is_due(after(now, 30.1)));
}

TEST(SaveClock, PausesGrowFromFailureToFailureUntilASaveSucceeds) {
  SaveClock clock({}, 1, {});
  const auto now = SaveClock::Clock::now();
  for (const double pause : {5, 10, 20, 40, 80, 160, 300, 300}) {
    clock.failed(now);
    EXPECT_FALSE(clock.is_due(after(now, pause - 0.1)));
    EXPECT_TRUE(clock.is_due(after(now, pause + 0.1)));
    clock.begins(now);
    EXPECT_FALSE(clock.is_due(after(now, 1e9))) << "it is being tried";
  }
  clock.took(0.1, 1);
  clock.failed(now);
  EXPECT_TRUE(clock.is_due(after(now, 5.1)));
}

TEST(SaveClock, AutoFollowsWhatSavesCostAndHowOftenStartsAreLost) {
  CheckpointConfig config;
  config.auto_interval = true;
  config.stall_budget = 1;
  config.failure_hours = 1;
  SaveClock rare(config, 1, {}), often(config, 1, {99, 0});
  rare.took(0.5, 2);
  often.took(0.5, 2);
  EXPECT_NEAR(rare.best_interval(), 60, 1) << "the root of 2 x 0.5 s x 3,600 s";
  EXPECT_NEAR(often.best_interval(), 6, 0.5) << "a hundred times as often";
  rare.took(0.005, 2);
  EXPECT_NEAR(rare.best_interval(), 6, 0.1);
  rare.took(0.5, 100);
  EXPECT_EQ(rare.best_interval(), 100) << "one save at a time";
  config.failure_hours = 0;
  EXPECT_NEAR(SaveClock(config, 1, {}).best_interval() / SaveClock(config, 10000, {}).best_interval(), 100, 1)
      << "a job of more ranks is lost more often";
}

}  // namespace
}  // namespace trireme::train
