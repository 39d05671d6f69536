#include "train/parallel/fold.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

namespace trireme::train {
namespace {

// The sum written out: "((0+1)+2)" shows which additions were done with which operands.
std::string folded(std::int64_t leaves, int ranks, int* most_buffers = nullptr) {
  std::vector<TreeNode> nodes;
  std::vector<std::string> values;
  for (int rank = 0; rank < ranks; ++rank) {
    const auto [first, last] = share_of(leaves, rank, ranks);
    const LocalFold fold = fold_locally(leaves, first, last);
    std::vector<std::string> buffers(static_cast<std::size_t>(fold.buffer_count));
    const auto add = [&](auto& all, const Addition& addition) {
      auto& into = all[static_cast<std::size_t>(addition.into)];
      into = "(" + into + "+" + all[static_cast<std::size_t>(addition.from)] + ")";
      all[static_cast<std::size_t>(addition.from)] = "free";
    };
    for (std::int64_t leaf = first; leaf < last; ++leaf) {
      const auto& plan = fold.leaves[static_cast<std::size_t>(leaf - first)];
      auto& buffer = buffers[static_cast<std::size_t>(plan.buffer)];
      buffer = plan.add ? "(" + buffer + "+" + std::to_string(leaf) + ")" : std::to_string(leaf);
      for (const Addition& addition : plan.then) add(buffers, addition);
    }
    for (std::size_t i = 0; i < fold.nodes.size(); ++i) {
      nodes.push_back(fold.nodes[i]);
      values.push_back(buffers[static_cast<std::size_t>(fold.buffers[i])]);
    }
    if (most_buffers) *most_buffers = std::max(*most_buffers, fold.buffer_count);
  }
  const GlobalFold global = fold_globally(leaves, nodes);
  for (const Addition& addition : global.additions)
    values[static_cast<std::size_t>(addition.into)] = "(" + values[static_cast<std::size_t>(addition.into)] + "+" +
                                                      values[static_cast<std::size_t>(addition.from)] + ")";
  return values[static_cast<std::size_t>(global.root)];
}

TEST(Fold, IsTheCanonicalTree) {
  EXPECT_EQ(folded(1, 1), "0");
  EXPECT_EQ(folded(3, 1), "((0+1)+2)");
  EXPECT_EQ(folded(6, 1), "(((0+1)+(2+3))+(4+5))");
}

TEST(Fold, AnyNumberOfRanksDoesTheSameAdditions) {
  for (std::int64_t leaves = 1; leaves <= 40; ++leaves) {
    const std::string one = folded(leaves, 1);
    for (int ranks = 2; ranks <= 45; ++ranks) EXPECT_EQ(folded(leaves, ranks), one) << leaves << " on " << ranks;
  }
}

TEST(Fold, BuffersGrowWithTheLogarithm) {
  for (const std::int64_t leaves : {1, 2, 7, 64, 1000, 1024}) {
    int buffers = 0;
    folded(leaves, 3, &buffers);
    EXPECT_LE(buffers, 2 + 2 * std::log2(static_cast<double>(leaves)));
  }
}

TEST(Fold, SharesAreContiguousAndEven) {
  std::int64_t next = 0;
  for (int rank = 0; rank < 5; ++rank) {
    const auto [first, last] = share_of(12, rank, 5);
    EXPECT_EQ(first, next);
    EXPECT_LE(last - first, 3);
    EXPECT_GE(last - first, 2);
    next = last;
  }
  EXPECT_EQ(next, 12);
}

}  // namespace
}  // namespace trireme::train
