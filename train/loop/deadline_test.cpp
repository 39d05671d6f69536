#include "train/loop/deadline.h"

#include <gtest/gtest.h>

namespace trireme::train {
namespace {

TEST(Deadline, WithoutALimitItNeverPasses) {
  const Deadline deadline(std::nullopt, 1 << 30);
  EXPECT_FALSE(deadline.passed(1e12));
  EXPECT_FALSE(deadline.passes_in_next_step(1e12, 0));
}

TEST(Deadline, LeavesTimeForASaveBeforeAnyWasSeen) {
  const Deadline deadline(100, 2'000'000'000);  // 10 s
  EXPECT_FALSE(deadline.passed(88.9));
  EXPECT_TRUE(deadline.passed(89));
}

TEST(Deadline, LeavesTwiceTheLongestSave) {
  Deadline deadline(100, 2'000'000'000);
  deadline.save_took(3);
  deadline.save_took(1);
  EXPECT_FALSE(deadline.passed(92.9));
  EXPECT_TRUE(deadline.passed(93));
}

TEST(Deadline, StopsBeforeAStepThatWouldNotFit) {
  Deadline deadline(100, 0);
  deadline.step_took(20);
  deadline.step_took(5);
  EXPECT_FALSE(deadline.passes_in_next_step(78.9, 1));
  EXPECT_TRUE(deadline.passes_in_next_step(79, 1));
  EXPECT_FALSE(deadline.passes_in_next_step(68.9, 30)) << "the step that ends now";
  EXPECT_TRUE(deadline.passes_in_next_step(69, 30));
  EXPECT_FALSE(deadline.passed(79));
}

}  // namespace
}  // namespace trireme::train
