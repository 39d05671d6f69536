#include "tune/search/sobol.h"

#include <gmock/gmock.h>

#include <cmath>
#include <set>

namespace trireme::tune {
namespace {

using ::testing::ElementsAre;

// How many different cells of a grid of 2^rows by 2^columns the points [begin, begin + count) of two axes are in.
std::size_t cells_hit(const Sobol& sobol, std::pair<std::size_t, std::size_t> axes, std::pair<int, int> cuts,
                      std::uint64_t begin, std::uint64_t count) {
  std::set<std::pair<int, int>> cells;
  for (std::uint64_t i = begin; i < begin + count; ++i) {
    const auto x = sobol.point(i);
    cells.emplace(static_cast<int>(std::ldexp(x[axes.first], cuts.first)),
                  static_cast<int>(std::ldexp(x[axes.second], cuts.second)));
  }
  return cells.size();
}

TEST(Sobol, BeginsAsPublished) {
  const Sobol sobol(3, std::nullopt);
  EXPECT_THAT(sobol.point(0), ElementsAre(0, 0, 0));
  EXPECT_THAT(sobol.point(1), ElementsAre(0.5, 0.5, 0.5));
  EXPECT_THAT(sobol.point(2), ElementsAre(0.75, 0.25, 0.25));
  EXPECT_THAT(sobol.point(3), ElementsAre(0.25, 0.75, 0.75));
  EXPECT_THAT(sobol.point(4), ElementsAre(0.375, 0.375, 0.625));
}

// scipy 1.17.1: numpy.uint64(2**32 * qmc.Sobol(101, scramble=False, bits=32).random(2**14))[-64:], hashed as here.
TEST(Sobol, IsScipysOnAllAxesOfTheTable) {
  const Sobol sobol(Sobol::kAxes, std::nullopt);
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a, a number at a time
  for (std::uint64_t i = (1 << 14) - 64; i < 1 << 14; ++i)
    for (const double x : sobol.point(i)) hash = (hash ^ static_cast<std::uint64_t>(std::ldexp(x, 32))) * 0x100000001b3;
  EXPECT_EQ(hash, 0x83dc6654c4107c25);
}

TEST(Sobol, HasOneNumberInEachPartOfEveryAxisHoweverScrambled) {
  for (const std::uint64_t seed : {0, 1, 2}) {
    const Sobol sobol(Sobol::kAxes, seed);
    for (std::size_t axis = 0; axis < Sobol::kAxes; ++axis)
      for (const std::uint64_t begin : {0, 64, 640}) EXPECT_EQ(cells_hit(sobol, {axis, axis}, {6, 0}, begin, 64), 64u);
  }
}

TEST(Sobol, IsEvenInThePlaneOfTheFirstTwoAxesHoweverScrambled) {
  for (const std::uint64_t seed : {0, 1, 2})
    for (int rows = 0; rows <= 8; ++rows)
      EXPECT_EQ(cells_hit(Sobol(2, seed), {0, 1}, {rows, 8 - rows}, 256, 256), 256u) << seed << " " << rows;
}

TEST(Sobol, ScramblesAnyPointToAnyPlace) {
  double sum = 0, sum_of_squares = 0, products = 0;
  constexpr int kSeeds = 4000;
  for (int seed = 0; seed < kSeeds; ++seed) {
    const auto x = Sobol(2, seed).point(5);
    sum += x[0], sum_of_squares += x[0] * x[0], products += (x[0] - 0.5) * (x[1] - 0.5);
  }
  EXPECT_NEAR(sum / kSeeds, 1. / 2, 4 * std::sqrt(1. / 12 / kSeeds));
  EXPECT_NEAR(sum_of_squares / kSeeds, 1. / 3, 4 * std::sqrt(4. / 45 / kSeeds));
  EXPECT_NEAR(products / kSeeds, 0, 4 * (1. / 12) / std::sqrt(kSeeds));
}

TEST(Sobol, IsTheSameForTheSameSeedAndAnotherForAnother) {
  EXPECT_EQ(Sobol(120, 7).point(33), Sobol(120, 7).point(33));
  const auto a = Sobol(120, 7).point(33), b = Sobol(120, 8).point(33);
  for (std::size_t axis = 0; axis < a.size(); ++axis) EXPECT_NE(a[axis], b[axis]) << axis;
}

TEST(Sobol, GoesOnBeyondItsTable) {
  const Sobol sobol(Sobol::kAxes + 1, 3);
  double sum = 0;
  for (std::uint64_t i = 0; i < 1024; ++i) {
    const double x = sobol.point(i).back();
    ASSERT_TRUE(x >= 0 && x < 1);
    sum += x;
  }
  EXPECT_NEAR(sum / 1024, 0.5, 4 * std::sqrt(1. / 12 / 1024));
}

}  // namespace
}  // namespace trireme::tune
