#include "models/kernels/free_ranges.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace trireme::models {
namespace {

using Ranges = std::map<std::uintptr_t, std::size_t>;

TEST(FreeRanges, NeighboursAreJoinedInAnyOrder) {
  for (const auto& order : {std::vector{0, 1, 2}, {2, 1, 0}, {0, 2, 1}, {1, 0, 2}}) {
    FreeRanges free;
    for (const int i : order) free.give(100 + 10 * static_cast<std::uintptr_t>(i), 10);
    EXPECT_EQ(free.ranges(), (Ranges{{100, 30}}));
  }
}

TEST(FreeRanges, TheSmallestThatHoldsARequestIsCut) {
  FreeRanges free;
  free.give(1000, 100);
  free.give(2000, 20);
  free.give(3000, 50);
  EXPECT_EQ(free.take(30), 3000U);
  EXPECT_EQ(free.take(20), 2000U);
  EXPECT_EQ(free.ranges(), (Ranges{{1000, 100}, {3030, 20}}));
  EXPECT_EQ(free.take(101), 0U);
  EXPECT_EQ(free.take(100), 1000U);
}

// Beside a map of single addresses: nothing is given out twice, nothing lost, and no two free ranges touch.
TEST(FreeRanges, AnySequenceOfRequestsKeepsTheBooks) {
  constexpr std::size_t kSize = 500;
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    FreeRanges free;
    free.give(1, kSize);
    std::vector<bool> taken(kSize + 1, false);
    std::vector<std::pair<std::uintptr_t, std::size_t>> held;
    for (int i = 0; i < 300; ++i) {
      if (held.empty() || random() % 2 == 0) {
        const std::size_t size = 1 + random() % 40;
        const std::uintptr_t begin = free.take(size);
        if (begin == 0) {
          for (const auto& [place, length] : free.ranges()) ASSERT_LT(length, size) << place;
          continue;
        }
        for (std::size_t at = begin; at < begin + size; ++at) {
          ASSERT_FALSE(taken[at]) << "seed " << seed;
          taken[at] = true;
        }
        held.emplace_back(begin, size);
      } else {
        std::swap(held[random() % held.size()], held.back());
        const auto [begin, size] = held.back();
        held.pop_back();
        free.give(begin, size);
        for (std::size_t at = begin; at < begin + size; ++at) taken[at] = false;
      }
      std::vector<bool> expected(kSize + 1, true);
      expected[0] = false;
      std::uintptr_t end = 0;
      for (const auto& [begin, size] : free.ranges()) {
        ASSERT_GT(begin, end) << "neighbours that are not joined; seed " << seed;
        end = begin + size;
        for (std::size_t at = begin; at < end; ++at) expected[at] = false;
      }
      for (std::size_t at = 1; at <= kSize; ++at) ASSERT_EQ(taken[at], expected[at]) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace trireme::models
