#include "train/parallel/fold.h"

#include <algorithm>

#include "core/base/error.h"

namespace trireme::train {
namespace {

struct Entry {
  TreeNode node;
  int value;
};

// Puts a node on the stack of nodes to its left and adds up what can be: the one rule both folds stand on.
void push(std::vector<Entry>& stack, Entry entry, std::int64_t leaves, std::vector<Addition>& additions) {
  for (;;) {
    TreeNode& node = entry.node;
    const bool is_root = (std::int64_t{1} << node.level) >= leaves;
    if (is_root) break;
    if (node.index % 2 == 1 && !stack.empty() && stack.back().node == TreeNode{node.level, node.index - 1}) {
      additions.push_back({stack.back().value, entry.value});
      entry.value = stack.back().value;
      stack.pop_back();
    } else if (node.index % 2 == 1 || (node.index + 1) << node.level < leaves) {
      break;  // its sibling is elsewhere, or still to come
    }
    node = {node.level + 1, node.index / 2};
  }
  stack.push_back(entry);
}

}  // namespace

Deal deal_of(std::int64_t shard, std::int64_t leaves, int ranks) {
  return shard >= 2 || (shard == 1 && ranks > 1 && leaves <= ranks) ? Deal::kTurns : Deal::kRuns;
}

Share share_of(std::int64_t leaves, int rank, int ranks, Deal deal) {
  if (deal == Deal::kTurns) return {std::min<std::int64_t>(rank, leaves), leaves, ranks};
  const std::int64_t each = leaves / ranks, more = leaves % ranks;
  const std::int64_t first = rank * each + std::min<std::int64_t>(rank, more);
  return {first, first + each + (rank < more ? 1 : 0), 1};
}

LocalFold fold_locally(std::int64_t leaves, std::int64_t first, std::int64_t last) {
  LocalFold fold;
  std::vector<Entry> stack;
  std::vector<bool> used;
  const auto free_buffer = [&] {
    const auto found = std::find(used.begin(), used.end(), false);
    const auto buffer = static_cast<int>(found - used.begin());
    if (found == used.end())
      used.push_back(true);
    else
      *found = true;
    return buffer;
  };
  for (std::int64_t leaf = first; leaf < last; ++leaf) {
    LocalFold::Leaf plan;
    if (leaf % 2 == 1 && !stack.empty() && stack.back().node == TreeNode{0, leaf - 1}) {
      // The right sibling goes straight into the left one's buffer: the sum is their parent, without a pass of its own.
      plan.buffer = stack.back().value;
      plan.add = true;
      stack.pop_back();
      Entry parent{{1, leaf / 2}, plan.buffer};
      push(stack, parent, leaves, plan.then);
    } else {
      plan.buffer = free_buffer();
      // A last leaf without a sibling is promoted by push; an even leaf whose sibling is ours waits as it is.
      push(stack, {{0, leaf}, plan.buffer}, leaves, plan.then);
    }
    for (const Addition& addition : plan.then) used[static_cast<std::size_t>(addition.from)] = false;
    fold.leaves.push_back(std::move(plan));
  }
  for (const Entry& entry : stack) {
    fold.nodes.push_back(entry.node);
    fold.buffers.push_back(entry.value);
  }
  fold.buffer_count = static_cast<int>(used.size());
  return fold;
}

std::vector<Round> fold_globally(std::int64_t leaves, int ranks, Deal deal) {
  const auto count = static_cast<std::size_t>(ranks);
  std::vector<Round> rounds;
  std::vector<Entry> stack;
  const auto take = [&](int rank, const TreeNode& node) {
    const auto value = static_cast<int>(node.index << node.level);
    rounds.back().values[static_cast<std::size_t>(rank)].push_back(value);
    push(stack, {node, value}, leaves, rounds.back().additions);
  };
  if (deal == Deal::kRuns) {
    rounds.push_back({std::vector<std::vector<int>>(count), {}});
    for (int rank = 0; rank < ranks; ++rank) {
      const Share share = share_of(leaves, rank, ranks, deal);
      for (const TreeNode& node : fold_locally(leaves, share.first, share.last).nodes) take(rank, node);
    }
  } else {
    for (std::int64_t leaf = 0; leaf < leaves; ++leaf) {
      if (leaf % ranks == 0) rounds.push_back({std::vector<std::vector<int>>(count), {}});
      take(static_cast<int>(leaf % ranks), {0, leaf});
    }
  }
  if (stack.size() != 1 || stack[0].value != 0)
    throw Error(ErrorCode::kBug, "the shares of a step do not cover its micro-batches");
  return rounds;
}

std::int64_t most_values(const std::vector<Round>& rounds) {
  std::int64_t values = 0, most = 0;
  for (const Round& round : rounds) {
    for (const std::vector<int>& of_rank : round.values) values += std::ssize(of_rank);
    values -= std::ssize(round.additions);
    most = std::max(most, values);
  }
  return most;
}

}  // namespace trireme::train
