#include "data/loader/packing.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <set>

#include "core/base/error.h"

namespace trireme::data {
namespace {

TEST(PackingTest, EveryDocumentIsInOneRowThatHoldsIt) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    const std::int64_t row = 1 + static_cast<std::int64_t>(random() % 200);
    std::vector<std::int64_t> lengths(random() % 400);
    for (std::int64_t& length : lengths) length = 1 + static_cast<std::int64_t>(random()) % row;
    const Packing packing(lengths, row);
    std::set<std::int64_t> seen;
    for (std::int64_t i = 0; i < packing.rows(); ++i) {
      std::int64_t sum = 0;
      for (const std::int64_t document : packing.documents(i)) {
        EXPECT_TRUE(seen.insert(document).second);
        sum += lengths.at(static_cast<std::size_t>(document));
      }
      EXPECT_GE(sum, 1);
      EXPECT_LE(sum, row);
    }
    EXPECT_EQ(seen.size(), lengths.size());
    // Best fit decreasing: at most 11/9 of the best and 4 more; the best has no fewer rows than their sum needs, or
    // documents of more than half a row.
    const std::int64_t sum = std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0});
    const std::int64_t large = std::count_if(lengths.begin(), lengths.end(), [&](auto l) { return 2 * l > row; });
    EXPECT_GE(packing.rows(), (sum + row - 1) / row);
    EXPECT_LE(packing.rows(), std::max<std::int64_t>(large, (11 * (2 * sum / row + 1)) / 9 + 4));
  }
}

TEST(PackingTest, LongTailsFillRows) {
  std::mt19937 random(3);
  std::lognormal_distribution<double> draw(5, 1);  // as conversations are long
  std::vector<std::int64_t> lengths;
  for (int i = 0; i < 20000; ++i)
    lengths.push_back(std::clamp<std::int64_t>(static_cast<std::int64_t>(draw(random)), 1, 2048));
  const double sum = static_cast<double>(std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0}));
  EXPECT_GT(sum / static_cast<double>(Packing(lengths, 2048).rows() * 2048), 0.995);
}

TEST(PackingTest, TakesTheRowThatIsFilledBest) {
  const std::vector<std::int64_t> lengths = {3, 6, 4, 5, 1};  // of 10: 6 4, 5 3 1
  const Packing packing(lengths, 10);
  ASSERT_EQ(packing.rows(), 2);
  EXPECT_EQ(std::vector(packing.documents(0).begin(), packing.documents(0).end()), (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(std::vector(packing.documents(1).begin(), packing.documents(1).end()),
            (std::vector<std::int64_t>{0, 3, 4}));
  EXPECT_THROW(Packing(std::vector<std::int64_t>{11}, 10), Error);
  EXPECT_EQ(Packing({}, 10).rows(), 0);
}

}  // namespace
}  // namespace trireme::data
