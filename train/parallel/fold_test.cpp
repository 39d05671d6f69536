#include "train/parallel/fold.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

namespace trireme::train {
namespace {

// The sum written out: "((0+1)+2)" shows which additions were done with which operands.
std::string folded(std::int64_t leaves, int ranks, Deal deal = Deal::kRuns, int* most_buffers = nullptr,
                   std::size_t* most = nullptr) {
  // By rank, what it sends in each of its rounds.
  std::vector<std::vector<std::vector<std::string>>> sent(static_cast<std::size_t>(ranks));
  const auto add = [](auto& all, const Addition& addition) {
    auto& into = all[static_cast<std::size_t>(addition.into)];
    into = "(" + into + "+" + all[static_cast<std::size_t>(addition.from)] + ")";
    all[static_cast<std::size_t>(addition.from)] = "free";
  };
  for (int rank = 0; rank < ranks; ++rank) {
    auto& mine = sent[static_cast<std::size_t>(rank)];
    const Share share = share_of(leaves, rank, ranks, deal);
    if (deal == Deal::kTurns) {
      for (std::int64_t leaf = share.first; leaf < share.last; leaf += share.stride)
        mine.push_back({std::to_string(leaf)});
      continue;
    }
    const LocalFold fold = fold_locally(leaves, share.first, share.last);
    std::vector<std::string> buffers(static_cast<std::size_t>(fold.buffer_count));
    for (std::int64_t leaf = share.first; leaf < share.last; ++leaf) {
      const auto& plan = fold.leaves[static_cast<std::size_t>(leaf - share.first)];
      auto& buffer = buffers[static_cast<std::size_t>(plan.buffer)];
      buffer = plan.add ? "(" + buffer + "+" + std::to_string(leaf) + ")" : std::to_string(leaf);
      for (const Addition& addition : plan.then) add(buffers, addition);
    }
    mine.emplace_back();
    for (const int buffer : fold.buffers) mine.back().push_back(buffers[static_cast<std::size_t>(buffer)]);
    if (most_buffers) *most_buffers = std::max(*most_buffers, fold.buffer_count);
  }
  std::map<int, std::string> values;
  const std::vector<Round> rounds = fold_globally(leaves, ranks, deal);
  for (std::size_t round = 0; round < rounds.size(); ++round) {
    for (std::size_t rank = 0; rank < rounds[round].values.size(); ++rank)
      for (std::size_t i = 0; i < rounds[round].values[rank].size(); ++i)
        EXPECT_TRUE(values.emplace(rounds[round].values[rank][i], sent[rank].at(round).at(i)).second);
    for (const Addition& addition : rounds[round].additions) {
      values.at(addition.into) = "(" + values.at(addition.into) + "+" + values.at(addition.from) + ")";
      values.erase(addition.from);
    }
    if (most) *most = std::max(*most, values.size());
  }
  if (most) {
    EXPECT_EQ(most_values(rounds), static_cast<std::int64_t>(*most));
  }
  EXPECT_EQ(values.size(), 1u);
  return values.at(0);
}

TEST(Fold, IsTheCanonicalTree) {
  EXPECT_EQ(folded(1, 1), "0");
  EXPECT_EQ(folded(3, 1), "((0+1)+2)");
  EXPECT_EQ(folded(6, 1), "(((0+1)+(2+3))+(4+5))");
}

TEST(Fold, AnyNumberOfRanksDoesTheSameAdditions) {
  for (std::int64_t leaves = 1; leaves <= 40; ++leaves) {
    const std::string one = folded(leaves, 1);
    for (int ranks = 1; ranks <= 45; ++ranks)
      for (const Deal deal : {Deal::kRuns, Deal::kTurns})
        EXPECT_EQ(folded(leaves, ranks, deal), one) << leaves << " on " << ranks;
  }
}

TEST(Fold, BuffersGrowWithTheLogarithm) {
  for (const std::int64_t leaves : {1, 2, 7, 64, 1000, 1024}) {
    int buffers = 0;
    std::size_t values = 0;
    folded(leaves, 3, Deal::kRuns, &buffers);
    folded(leaves, 3, Deal::kTurns, nullptr, &values);
    EXPECT_LE(buffers, 2 + 2 * std::log2(static_cast<double>(leaves)));
    EXPECT_LE(values, 1 + std::log2(static_cast<double>(leaves)));
  }
}

TEST(Fold, SharesAreEvenAndCoverAll) {
  for (const Deal deal : {Deal::kRuns, Deal::kTurns})
    for (const int ranks : {1, 5, 12, 20}) {
      std::vector<int> seen(12, 0);
      for (int rank = 0; rank < ranks; ++rank) {
        const Share share = share_of(12, rank, ranks, deal);
        EXPECT_GE(share.count(), 12 / ranks);
        EXPECT_LE(share.count(), (12 + ranks - 1) / ranks);
        std::int64_t count = 0;
        for (std::int64_t leaf = share.first; leaf < share.last; leaf += share.stride, ++count)
          ++seen.at(static_cast<std::size_t>(leaf));
        EXPECT_EQ(count, share.count());
      }
      for (const int times : seen) EXPECT_EQ(times, 1);
    }
}

}  // namespace
}  // namespace trireme::train
