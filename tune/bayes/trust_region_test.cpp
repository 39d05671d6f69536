#include "tune/bayes/trust_region.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace trireme::tune {
namespace {

// Trials that all count.
TrustRegion region_after(const std::vector<double>& values, std::size_t dimensions = 20) {
  std::vector<TrustRegion::Trial> trials;
  for (const double value : values) trials.push_back({value, true});
  return TrustRegion(trials, dimensions);
}

// So many trials that are not better.
std::vector<double> with_failures(std::vector<double> values, int count) {
  values.insert(values.end(), static_cast<std::size_t>(count), 100.0);
  return values;
}

TEST(TrustRegion, GrowsAfterThreeBetterTrialsInARow) {
  EXPECT_EQ(region_after({10}).side(), 0.8);
  EXPECT_EQ(region_after({10, 9, 8}).side(), 0.8);
  EXPECT_EQ(region_after({10, 9, 8, 7}).side(), 1.6);
  EXPECT_EQ(region_after({10, 9, 8, 7, 6, 5, 4}).side(), 1.6);  // and no further
  EXPECT_EQ(region_after({10, 9, 8, 11, 7}).side(), 0.8);
  EXPECT_EQ(region_after({100, 1, 100, 1 - 1e-4, 1 - 2e-4, 1 - 3e-4}).side(), 0.8);  // too little to count
  EXPECT_EQ(region_after({1e30, 10, 9, 10, 9, 8, 7, 11, 9, 7}).side(), 0.8);
  EXPECT_EQ(region_after({10, 1e308, -1e308, 11, 12, 13}).centre(), 2U);
}

TEST(TrustRegion, ShrinksAfterAsManyFailuresAsThereAreDimensions) {
  EXPECT_EQ(region_after(with_failures({10}, 19)).side(), 0.8);
  EXPECT_EQ(region_after(with_failures({10}, 20)).side(), 0.4);
  EXPECT_EQ(region_after(with_failures({10}, 60)).side(), 0.1);
  EXPECT_EQ(region_after(with_failures({10}, 4), 2).side(), 0.4);
}

TEST(TrustRegion, OneValueOutOfAllRangesDoesNotHideGains) { EXPECT_EQ(region_after({10, 1e30, 9, 8, 7}).side(), 1.6); }

TEST(TrustRegion, CountsTrialsOfItsOwnAlone) {
  std::vector<TrustRegion::Trial> trials{{10, false}};
  for (int i = 0; i < 30; ++i) trials.push_back({20, i >= 11});
  EXPECT_EQ(TrustRegion(trials, 20).side(), 0.8);
  trials.push_back({20, true});
  EXPECT_EQ(TrustRegion(trials, 20).side(), 0.4);
  trials.push_back({5, false});
  EXPECT_EQ(TrustRegion(trials, 20).centre(), 32U);
}

TEST(TrustRegion, BeginsAnewWhereNothingIsLeftToFind) {
  EXPECT_EQ(region_after(with_failures({10}, 6 * 20)).side(), 0.8 / 64);
  EXPECT_EQ(region_after(with_failures({10}, 7 * 20)).side(), 0.8);
}

TEST(TrustRegion, LiesAroundTheBestTrial) {
  EXPECT_EQ(region_after({10, 3, 8, 3, 5}).centre(), 1U);
  EXPECT_EQ(region_after({3}).centre(), 0U);
}

TEST(TrustRegion, ItIsLongerWhereTheFunctionVariesLess) {
  const TrustRegion region = region_after(with_failures({10}, 40));
  ASSERT_EQ(region.side(), 0.2);
  const Eigen::Vector4d centre(0.5, 0.5, 0.7, 0.95), log_inverse_length(std::log(2.0), std::log(0.5), 3, 0);
  const Region around = region.around(centre, log_inverse_length, {0, 1, 3});
  EXPECT_NEAR(around.low[0], 0.45, 1e-12);
  EXPECT_NEAR(around.high[0], 0.55, 1e-12);
  EXPECT_NEAR(around.low[1], 0.3, 1e-12);
  EXPECT_NEAR(around.high[1], 0.7, 1e-12);
  EXPECT_EQ(around.low[2], 0);
  EXPECT_EQ(around.high[2], 1);
  EXPECT_NEAR(around.low[3], 0.85, 1e-12);
  EXPECT_EQ(around.high[3], 1);
}

}  // namespace
}  // namespace trireme::tune
