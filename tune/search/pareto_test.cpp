#include "tune/search/pareto.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/random.h"

namespace trireme::tune {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Values = std::vector<std::vector<double>>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// @param grid  values are multiples of 1 / grid, so that some are equal in an objective
Values random_values(std::uint64_t seed, std::size_t count, std::size_t objectives, double grid) {
  const RandomStream random(seed, "pareto_test");
  Values values(count, std::vector<double>(objectives));
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t m = 0; m < objectives; ++m) values[i][m] = std::floor(random.uniform(i, m) * grid) / grid;
  return values;
}

// The union of boxes by inclusion and exclusion: over all subsets, the box that its members share.
double hypervolume_by_subsets(const Values& values, const std::vector<double>& reference) {
  double sum = 0;
  for (std::size_t subset = 1; subset < std::size_t{1} << values.size(); ++subset) {
    double volume = -1;
    for (std::size_t i = 0; i < values.size(); ++i)
      if (subset >> i & 1) volume = -volume;
    for (std::size_t m = 0; m < reference.size(); ++m) {
      double worst = -kInfinity;
      for (std::size_t i = 0; i < values.size(); ++i)
        if (subset >> i & 1) worst = std::max(worst, values[i][m]);
      volume *= std::max(0.0, reference[m] - worst);
    }
    sum += volume;
  }
  return sum;
}

TEST(Dominates, WantsNowhereWorseAndSomewhereBetter) {
  EXPECT_TRUE(dominates({1, 2}, {1, 3}));
  EXPECT_FALSE(dominates({1, 3}, {1, 2}));
  EXPECT_FALSE(dominates({1, 2}, {1, 2}));
  EXPECT_FALSE(dominates({0, 3}, {1, 2}));
}

TEST(ParetoFront, HasWhatNoneDominates) {
  EXPECT_THAT(pareto_front({}), IsEmpty());
  EXPECT_THAT(pareto_front({{3}, {1}, {2}, {1}}), ElementsAre(1, 3));
  EXPECT_THAT(pareto_front({{2, 2}, {1, 3}, {3, 1}, {2, 2}, {3, 3}, {1, 4}}), ElementsAre(0, 1, 2, 3));
}

TEST(DominationRanks, AreThoseOfPeelingFrontAfterFront) {
  for (const std::size_t objectives : {1, 2, 3, 5}) {
    const auto values = random_values(objectives, 120, objectives, 12);
    const auto ranks = domination_ranks(values);
    std::vector<std::size_t> left(values.size());
    for (std::size_t i = 0; i < left.size(); ++i) left[i] = i;
    for (std::size_t rank = 0; !left.empty(); ++rank) {
      std::vector<std::size_t> rest;
      for (const std::size_t i : left) {
        const bool beaten = std::any_of(left.begin(), left.end(),
                                        [&](std::size_t other) { return dominates(values[other], values[i]); });
        EXPECT_EQ(ranks[i] == rank, !beaten) << objectives << " objectives, value " << i;
        if (beaten) rest.push_back(i);
      }
      left = rest;
    }
  }
}

TEST(CrowdingDistances, AreTheGapsBetweenNeighboursOfARank) {
  const Values values = {{0, 10}, {1, 6}, {4, 5}, {10, 0}, {20, 20}};
  EXPECT_THAT(crowding_distances(values, domination_ranks(values)),
              ElementsAre(kInfinity, 4 / 10. + 5 / 10., 9 / 10. + 6 / 10., kInfinity, kInfinity));
}

TEST(CrowdingDistances, AreNoNansWhereAllAreEqual) {
  EXPECT_THAT(crowding_distances({{1, 1}, {1, 1}, {1, 1}}, {0, 0, 0}), ElementsAre(kInfinity, 0, kInfinity));
}

TEST(Hypervolume, IsTheAreaUnderSteps) {
  EXPECT_EQ(hypervolume({}, {1, 1}), 0);
  EXPECT_EQ(hypervolume({{3}, {1}}, {5}), 4);
  EXPECT_EQ(hypervolume({{1, 3}, {2, 1}}, {4, 4}), 3 * 1 + 2 * 2);
  EXPECT_EQ(hypervolume({{1, 3}, {2, 1}, {2, 3}, {2, 1}}, {4, 4}), 7) << "dominated and equal ones add nothing";
  EXPECT_EQ(hypervolume({{1, 3}, {2, 1}, {0, 4}, {9, 0}}, {4, 4}), 7) << "nor do those beyond the reference";
}

TEST(Hypervolume, IsThatOfInclusionAndExclusion) {
  for (std::size_t objectives = 1; objectives <= 6; ++objectives)
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      const auto values = random_values(seed, 10, objectives, 8);
      const std::vector<double> reference(objectives, 0.9);
      EXPECT_NEAR(hypervolume(values, reference), hypervolume_by_subsets(values, reference), 1e-12)
          << objectives << " objectives, seed " << seed;
    }
}

TEST(Hypervolume, TakesValuesOfAnySize) {
  EXPECT_DOUBLE_EQ(hypervolume({{-1e30, -1e30, 0}, {0, 0, -1e30}}, {1e30, 1e30, 1e30}), (4 + 2 - 1) * 1e90);
}

TEST(UndominatedBoxes, HoldWhatIsNotDominatedOnce) {
  for (std::size_t objectives = 1; objectives <= 4; ++objectives)
    for (const std::size_t count : {0, 1, 6}) {
      const Values values = random_values(objectives + count, count, objectives, 5);
      const std::vector<double> reference(objectives, 0.9);
      const auto boxes = undominated_boxes(values, reference);
      double volume = 0;  // above -1
      for (const Box& box : boxes) {
        double its = 1;
        for (std::size_t m = 0; m < objectives; ++m) its *= box.upper[m] - std::max(-1.0, box.lower[m]);
        volume += its;
      }
      EXPECT_NEAR(volume + hypervolume(values, reference), std::pow(1.9, objectives), 1e-12)
          << objectives << " " << count;
      for (const auto& z : random_values(77, 300, objectives, 1e9)) {
        const auto holds = [&](const Box& box) {
          for (std::size_t m = 0; m < objectives; ++m)
            if (!(box.lower[m] <= z[m] && z[m] < box.upper[m])) return false;
          return true;
        };
        const bool is_below = *std::max_element(z.begin(), z.end()) < 0.9;
        const bool is_dominated =
            std::any_of(values.begin(), values.end(), [&](const auto& v) { return dominates(v, z); });
        EXPECT_EQ(std::count_if(boxes.begin(), boxes.end(), holds), is_below && !is_dominated ? 1 : 0);
      }
    }
}

}  // namespace
}  // namespace trireme::tune
