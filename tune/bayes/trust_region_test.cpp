#include "tune/bayes/trust_region.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace trireme::tune {
namespace {

TrustRegion region_after(std::vector<double> values, Eigen::Index dimensions = 20) {
  return TrustRegion(Eigen::Map<Eigen::VectorXd>(values.data(), static_cast<Eigen::Index>(values.size())), dimensions);
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
  EXPECT_EQ(region_after({100, 1, 1 - 1e-4, 1 - 2e-4, 1 - 3e-4}).side(), 0.8);  // too little to count
}

TEST(TrustRegion, ShrinksAfterAsManyFailuresAsThereAreDimensions) {
  EXPECT_EQ(region_after(with_failures({10}, 19)).side(), 0.8);
  EXPECT_EQ(region_after(with_failures({10}, 20)).side(), 0.4);
  EXPECT_EQ(region_after(with_failures({10}, 60)).side(), 0.1);
  EXPECT_EQ(region_after(with_failures({10}, 4), 2).side(), 0.4);
}

TEST(TrustRegion, BeginsAnewWhereNothingIsLeftToFind) {
  EXPECT_EQ(region_after(with_failures({10}, 6 * 20)).side(), 0.8 / 64);
  EXPECT_EQ(region_after(with_failures({10}, 7 * 20)).side(), 0.8);
}

TEST(TrustRegion, LiesAroundTheBestTrial) {
  EXPECT_EQ(region_after({10, 3, 8, 3, 5}).centre(), 1);
  EXPECT_EQ(region_after({3}).centre(), 0);
}

TEST(TrustRegion, ItIsLongerWhereTheFunctionVariesLess) {
  const TrustRegion region = region_after(with_failures({10}, 40));
  ASSERT_EQ(region.side(), 0.2);
  const Eigen::Vector3d centre(0.5, 0.5, 0.95), log_inverse_length(std::log(2.0), std::log(0.5), 0);
  const Region box = region.around(centre, log_inverse_length);
  EXPECT_NEAR(box.low[0], 0.45, 1e-12);
  EXPECT_NEAR(box.high[0], 0.55, 1e-12);
  EXPECT_NEAR(box.low[1], 0.3, 1e-12);
  EXPECT_NEAR(box.high[1], 0.7, 1e-12);
  EXPECT_NEAR(box.low[2], 0.85, 1e-12);
  EXPECT_EQ(box.high[2], 1);
}

}  // namespace
}  // namespace trireme::tune
