#include "tune/importance/tree_anova.h"

#include <algorithm>
#include <utility>

namespace trireme::tune {
namespace {

using Node = RegressionTree::Node;

std::vector<std::vector<double>> cell_edges(const RegressionTree& tree, const std::vector<std::size_t>& categories) {
  std::vector<std::vector<double>> edges(categories.size(), {0, 1});
  for (std::size_t d = 0; d < categories.size(); ++d)
    for (std::size_t k = 1; k < categories[d]; ++k)
      edges[d].push_back(static_cast<double>(k) / static_cast<double>(categories[d]));
  for (const Node& node : tree.nodes())
    if (!node.is_leaf() && node.left_categories.empty()) edges[node.dimension].push_back(node.threshold);
  for (std::vector<double>& of_one : edges) {
    std::sort(of_one.begin(), of_one.end());
    of_one.erase(std::unique(of_one.begin(), of_one.end()), of_one.end());
  }
  return edges;
}

}  // namespace

TreeAnova::TreeAnova(const RegressionTree& tree, const std::vector<std::size_t>& categories)
    : edges_(cell_edges(tree, categories)) {
  std::vector<Side> sides;
  for (const std::vector<double>& of_one : edges_) sides.push_back({{0, of_one.size() - 1}});
  visit(tree, 0, sides);
  for (const Leaf& leaf : leaves_) mean_ += leaf.volume * leaf.value;
  for (const Leaf& leaf : leaves_) variance_ += leaf.volume * (leaf.value - mean_) * (leaf.value - mean_);
  for (std::size_t d = 0; d < edges_.size(); ++d) main_effects_.push_back(variance_of_mean(d));
}

void TreeAnova::visit(const RegressionTree& tree, std::size_t place, std::vector<Side>& sides) {
  const Node& node = tree.nodes()[place];
  if (node.is_leaf()) {
    double volume = 1;
    for (std::size_t d = 0; d < sides.size(); ++d) volume *= width(d, sides[d]);
    leaves_.push_back({node.value, volume, sides});
    return;
  }
  Side left, right;
  for (const Run& run : sides[node.dimension])
    for (std::size_t cell = run.begin; cell < run.end; ++cell) {
      const bool goes_left =
          node.left_categories.empty() ? edges_[node.dimension][cell] < node.threshold : node.left_categories[cell];
      Side& side = goes_left ? left : right;
      if (!side.empty() && side.back().end == cell)
        ++side.back().end;
      else
        side.push_back({cell, cell + 1});
    }
  const Side whole = std::exchange(sides[node.dimension], std::move(left));
  visit(tree, node.left, sides);
  sides[node.dimension] = std::move(right);
  visit(tree, node.right, sides);
  sides[node.dimension] = whole;
}

double TreeAnova::width(std::size_t dimension, const Side& side) const {
  double sum = 0;
  for (const Run& run : side) sum += edges_[dimension][run.end] - edges_[dimension][run.begin];
  return sum;
}

// Means of cells are summed as differences between neighbouring cells: a leaf adds to the borders of its runs alone.
double TreeAnova::variance_of_mean(std::size_t dimension) const {
  const std::size_t cells = edges_[dimension].size() - 1;
  if (cells == 1) return 0;
  std::vector<double> change(cells + 1);
  for (const Leaf& leaf : leaves_) {
    const double part = (leaf.value - mean_) * leaf.volume / width(dimension, leaf.sides[dimension]);
    for (const Run& run : leaf.sides[dimension]) {
      change[run.begin] += part;
      change[run.end] -= part;
    }
  }
  double variance = 0, mean = 0;
  for (std::size_t cell = 0; cell < cells; ++cell) {
    mean += change[cell];
    variance += width(dimension, cell) * mean * mean;
  }
  return variance;
}

double TreeAnova::interaction(std::size_t a, std::size_t b) const {
  const std::size_t cells_a = edges_[a].size() - 1, cells_b = edges_[b].size() - 1, row = cells_b + 1;
  if (cells_a == 1 || cells_b == 1) return 0;
  std::vector<double> change((cells_a + 1) * row);
  for (const Leaf& leaf : leaves_) {
    const double part = (leaf.value - mean_) * leaf.volume / (width(a, leaf.sides[a]) * width(b, leaf.sides[b]));
    for (const Run& i : leaf.sides[a])
      for (const Run& j : leaf.sides[b]) {
        change[i.begin * row + j.begin] += part;
        change[i.begin * row + j.end] -= part;
        change[i.end * row + j.begin] -= part;
        change[i.end * row + j.end] += part;
      }
  }
  double variance = 0;
  std::vector<double> means(row);  // of this row of cells, each without those before it in the row
  for (std::size_t i = 0; i < cells_a; ++i) {
    double mean = 0;
    for (std::size_t j = 0; j < cells_b; ++j) {
      means[j] += change[i * row + j];
      mean += means[j];
      variance += width(a, i) * width(b, j) * mean * mean;
    }
  }
  return std::max(0.0, variance - main_effect(a) - main_effect(b));
}

}  // namespace trireme::tune
