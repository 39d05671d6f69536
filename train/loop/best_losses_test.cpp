#include "train/loop/best_losses.h"

#include <gtest/gtest.h>

#include <limits>

namespace trireme::train {
namespace {

void add(BestLosses& losses, double loss) {
  losses.begin(loss);
  losses.end(/*is_durable=*/true);
}

TEST(BestLosses, ALossIsKeptWhileFewerThanAskedForAreAtLeastAsLow) {
  BestLosses losses;
  EXPECT_TRUE(losses.would_keep(9, 1)) << "the first";
  add(losses, 3);
  add(losses, 2);
  EXPECT_TRUE(losses.would_keep(1, 1));
  EXPECT_FALSE(losses.would_keep(2.5, 1));
  EXPECT_TRUE(losses.would_keep(2.5, 2));
  EXPECT_FALSE(losses.would_keep(3, 2)) << "two are as low";
  EXPECT_FALSE(losses.would_keep(1, 0)) << "none is asked for";
}

TEST(BestLosses, TheBestIsTheOneThatNoneWasBelow) {
  BestLosses losses;
  EXPECT_TRUE(losses.is_best(3));
  add(losses, 3);
  EXPECT_FALSE(losses.is_best(4));
  EXPECT_TRUE(losses.is_best(3)) << "as low as the best";
  EXPECT_TRUE(losses.is_best(2.5));
  add(losses, 2.5);
  EXPECT_FALSE(losses.is_best(3));
}

TEST(BestLosses, OneThatIsBeingSavedCountsUntilThatFails) {
  BestLosses losses;
  add(losses, 5);
  losses.begin(3);
  EXPECT_FALSE(losses.would_keep(4, 1));
  EXPECT_TRUE(losses.would_keep(2, 1));
  EXPECT_TRUE(losses.is_best(4)) << "of those that are durable";
  losses.end(/*is_durable=*/false);
  EXPECT_TRUE(losses.would_keep(4, 1));
  losses.begin(std::nullopt);
  EXPECT_TRUE(losses.would_keep(4, 1));
  losses.end(/*is_durable=*/true);
  EXPECT_TRUE(losses.would_keep(4, 1));
}

TEST(BestLosses, ALossThatIsNoNumberIsNeverKept) {
  EXPECT_FALSE(BestLosses().would_keep(std::numeric_limits<double>::quiet_NaN(), 5));
  EXPECT_FALSE(BestLosses().would_keep(std::numeric_limits<double>::infinity(), 5));
}

}  // namespace
}  // namespace trireme::train
