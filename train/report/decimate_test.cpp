#include "train/report/decimate.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

namespace trireme::train {
namespace {

using ::testing::ElementsAre;
using ::testing::Le;

TEST(Decimate, FewPointsStayAsTheyAre) {
  const Curve curve = decimate({1, 2, 3}, {5, 4, 6}, 3);
  EXPECT_THAT(curve.x, ElementsAre(1, 2, 3));
  EXPECT_THAT(curve.mean, ElementsAre(5, 4, 6));
  EXPECT_FALSE(curve.has_spread);
}

TEST(Decimate, NeighboursKeepTheirMeanLowestAndHighest) {
  const Curve curve = decimate({1, 2, 3, 4, 5}, {1, 3, 100, -100, 7}, 3);
  EXPECT_THAT(curve.x, ElementsAre(2, 4, 5));
  EXPECT_THAT(curve.mean, ElementsAre(2, 0, 7));
  EXPECT_THAT(curve.low, ElementsAre(1, -100, 7));
  EXPECT_THAT(curve.high, ElementsAre(3, 100, 7));
  EXPECT_TRUE(curve.has_spread);
}

TEST(Decimate, WhatIsNotFiniteIsLeftOut) {
  const Curve curve = decimate({1, 2, 3, 4}, {NAN, 2, INFINITY, 4}, 9);
  EXPECT_THAT(curve.x, ElementsAre(2, 4));
  EXPECT_TRUE(decimate({1, 2}, {NAN, NAN}, 9).empty());
  EXPECT_TRUE(decimate({}, {}, 9).empty());
  EXPECT_THAT(decimate({1, 2, 3}, {1, NAN, 5}, 1).mean, ElementsAre(3)) << "a missing last but one ends no stretch";
}

TEST(Decimate, OneSpikeInAMillionIsSeen) {
  std::vector<double> x(1000000), y(1000000, 1.0);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<double>(i);
  y[777777] = 50;
  const Curve curve = decimate(x, y, 1500);
  EXPECT_THAT(curve.x.size(), Le(1500u));
  EXPECT_EQ(*std::max_element(curve.high.begin(), curve.high.end()), 50);
  EXPECT_EQ(curve.x.back(), 999999);
}

}  // namespace
}  // namespace trireme::train
