#pragma once
#include <cstdint>
#include <utility>
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

/// Leaves [first, second) of `rank`: contiguous, sizes differ by one at most; empty for some when ranks outnumber
/// leaves.
std::pair<std::int64_t, std::int64_t> share_of(std::int64_t leaves, int rank, int ranks);

/// values[into] += values[from]; `from` is free afterwards.
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

/// How the maximal nodes of all ranks, in the order of their leaves, become the root. Values are numbered in that
/// order.
struct GlobalFold {
  std::vector<Addition> additions;
  int root = 0;  ///< the value that ends up as the sum
};
GlobalFold fold_globally(std::int64_t leaves, const std::vector<TreeNode>& nodes);

}  // namespace trireme::train
