#include "data/loader/sample_order.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/base/error.h"

namespace trireme::data {
namespace {

std::vector<std::int64_t> epoch_of(const SampleOrder& order, std::int64_t epoch) {
  std::vector<std::int64_t> begins;
  const std::int64_t windows = order.windows_per_epoch();
  for (std::int64_t i = 0; i < windows; ++i) begins.push_back(order.begin_of(epoch * windows + i));
  return begins;
}

TEST(SampleOrder, VisitsEachWindowExactlyOnceAnEpoch) {
  for (const std::int64_t length : {1, 2, 7, 64}) {
    for (const std::int64_t tokens : {2, 3, 8, 9, 65, 66, 128, 129, 1000, 4097, 20'000}) {
      if (tokens - 1 < length) continue;
      const SampleOrder order(tokens, tokens, length);
      EXPECT_GE(order.windows_per_epoch() + 1, (tokens - 1) / length);
      for (const std::int64_t epoch : {0, 1, 2, 1'000'000}) {
        std::vector<std::int64_t> begins = epoch_of(order, epoch);
        std::sort(begins.begin(), begins.end());
        EXPECT_GE(begins.front(), 0);
        EXPECT_LT(begins.front(), length);  // no stretch of a window's length is left out before the first
        EXPECT_LE(begins.back() + length + 1, tokens);
        for (std::size_t i = 1; i < begins.size(); ++i)
          ASSERT_EQ(begins[i], begins[i - 1] + length) << "tokens " << tokens << " length " << length;
      }
    }
  }
}

TEST(SampleOrder, IsAFunctionOfSeedAndNumberAlone) {
  const SampleOrder one(7, 100'000, 64), same(7, 100'000, 64), other(8, 100'000, 64);
  int equal = 0;
  for (std::int64_t number = 5000; number >= 0; --number) {  // in another order of calls
    EXPECT_EQ(one.begin_of(number), same.begin_of(number));
    equal += one.begin_of(number) == other.begin_of(number);
  }
  EXPECT_LT(equal, 20);
}

TEST(SampleOrder, EpochsDifferInOrderAndInStart) {
  const SampleOrder order(7, 100'000, 64);
  const auto first = epoch_of(order, 0), second = epoch_of(order, 1);
  EXPECT_NE(first, second);
  std::set<std::int64_t> starts;
  for (std::int64_t epoch = 0; epoch < 200; ++epoch)
    starts.insert(order.begin_of(epoch * order.windows_per_epoch()) % 64);
  EXPECT_GT(starts.size(), 55u);  // of 64; 61 are expected
}

TEST(SampleOrder, EveryWindowIsFirstEquallyOften) {
  for (const std::int64_t windows : {2, 3, 5, 6, 17}) {
    const SampleOrder order(3, windows * 10 + 1, 10);
    ASSERT_EQ(order.windows_per_epoch(), windows);
    std::vector<int> first(static_cast<std::size_t>(windows)), successor(static_cast<std::size_t>(windows));
    constexpr int kEpochs = 20'000;
    for (std::int64_t epoch = 0; epoch < kEpochs; ++epoch) {
      const std::int64_t a = order.begin_of(epoch * windows) / 10, b = order.begin_of(epoch * windows + 1) / 10;
      ++first[static_cast<std::size_t>(a)];
      ++successor[static_cast<std::size_t>((b - a + windows) % windows)];
    }
    EXPECT_EQ(successor[0], 0);
    // Five standard deviations of a fair draw.
    const double mean = static_cast<double>(kEpochs) / static_cast<double>(windows);
    const double paired = static_cast<double>(kEpochs) / static_cast<double>(windows - 1);
    for (const int count : first) EXPECT_NEAR(count, mean, 5 * std::sqrt(mean)) << windows;
    for (std::size_t i = 1; i < successor.size(); ++i)
      if (windows > 2) {
        EXPECT_NEAR(successor[i], paired, 5 * std::sqrt(paired)) << windows;
      }
  }
}

TEST(SampleOrder, TheSmallestCorpusHasOneSample) {
  const SampleOrder order(1, 65, 64);
  EXPECT_EQ(order.windows_per_epoch(), 1);
  for (std::int64_t number = 0; number < 100; ++number) EXPECT_EQ(order.begin_of(number), 0);
}

TEST(SampleOrder, RefusesACorpusThatIsTooSmallAndSaysWhatToDo) {
  EXPECT_THAT(
      [] { SampleOrder(1, 64, 64); },
      ::testing::ThrowsMessage<Error>(::testing::HasSubstr("holds 64 tokens; a sequence of 64 needs one more")));
  EXPECT_THROW(SampleOrder(1, 0, 64), Error);
  EXPECT_THROW(SampleOrder(1, 10, 0), Error);
}

TEST(SampleOrder, CountsBeyond32Bits) {
  const std::int64_t tokens = (std::int64_t{1} << 50) + 1;
  const SampleOrder order(1, tokens, 1024);
  std::set<std::int64_t> begins;
  for (std::int64_t i = 0; i < 1000; ++i) {
    const std::int64_t begin = order.begin_of((std::int64_t{1} << 60) + i);
    EXPECT_GE(begin, 0);
    EXPECT_LE(begin + 1025, tokens);
    begins.insert(begin);
  }
  EXPECT_EQ(begins.size(), 1000u);
}

// A run of another day must read what this one read: these numbers may never change.
TEST(SampleOrder, IsFrozen) {
  const SampleOrder order(42, 10'001, 100);
  std::vector<std::int64_t> begins;
  for (const std::int64_t number : {0, 1, 2, 98, 99, 100, 1'000'000}) begins.push_back(order.begin_of(number));
  EXPECT_THAT(begins, ::testing::ElementsAre(5936, 7336, 3636, 8936, 4078, 7378, 1636));
}

}  // namespace
}  // namespace trireme::data
