#pragma once
#include <cstdint>
#include <vector>

/// The order in which gradients are summed. It belongs to the run and not to the ranks: the leaves of one binary tree
/// are the micro-batches of a step, node (level, index) is the sum of leaves [index * 2^level, (index + 1) * 2^level),
/// and a node whose right half lies beyond the last leaf is its left half. However the leaves are shared out, every
/// addition of the tree is done once, with the same two operands, so the sum is the same to the last bit.
///
/// Everything here is a pure function of the sizes; who moves and adds the numbers is in gradient_reducer.
namespace trireme::train {

struct TreeNode {
  int level = 0;
  std::int64_t index = 0;
  bool operator==(const TreeNode&) const = default;
};

/// How leaves are dealt to ranks: in contiguous runs, which a rank adds up by itself before any is sent; or in turns,
/// so that the sum over all ranks grows from left to right and nobody holds a whole gradient for longer than a leaf
/// takes.
enum class Deal { kRuns, kTurns };
/// That of a ZeRO stage: from 2 on gradients are shared out; in stage 1 where no rank has more than one leaf, since
/// then it costs nothing.
Deal deal_of(std::int64_t shard, std::int64_t leaves, int ranks);

/// The leaves of a rank: first, first + stride, ... below last. Sizes differ by one at most; empty for some when ranks
/// outnumber leaves.
struct Share {
  std::int64_t first = 0, last = 0, stride = 1;
  std::int64_t count() const { return (last - first + stride - 1) / stride; }
};
Share share_of(std::int64_t leaves, int rank, int ranks, Deal deal);

/// value(into) += value(from); `from` is free afterwards.
struct Addition {
  int into = 0, from = 0;
  bool operator==(const Addition&) const = default;
};

/// What one rank does with its leaves, in buffers of a whole gradient each.
struct LocalFold {
  struct Leaf {
    int buffer = 0;
    bool add = false;  ///< add to what the buffer holds (the sibling to the left), else overwrite it
    std::vector<Addition> then;
  };
  std::vector<Leaf> leaves;     ///< an entry a leaf, in order
  std::vector<TreeNode> nodes;  ///< what is left in the end: maximal nodes, from left to right ...
  std::vector<int> buffers;     ///< ... and the buffer of each
  int buffer_count = 0;         ///< about log2 of the leaves
};
LocalFold fold_locally(std::int64_t leaves, std::int64_t first, std::int64_t last);

/// What the ranks send to who adds up, in rounds: each rank in each round some nodes, and what is then added. A value
/// goes by the number of its leftmost leaf; the sum ends up as that of leaf 0.
struct Round {
  std::vector<std::vector<int>> values;  ///< of each rank
  std::vector<Addition> additions;
};
/// One round with what each rank has added up of its run, or as many rounds as a rank has turns.
std::vector<Round> fold_globally(std::int64_t leaves, int ranks, Deal deal);
/// The most values that are left over behind any of the rounds.
std::int64_t most_values(const std::vector<Round>& rounds);

}  // namespace trireme::train
