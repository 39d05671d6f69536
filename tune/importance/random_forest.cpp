#include "tune/importance/random_forest.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tune/search/trial_random.h"

namespace trireme::tune {
namespace {

constexpr std::size_t kMostDraws = 2048;
constexpr int kDepthLimit = 64;       // trees are walked by recursion
constexpr double kLeastGap = 1e-9;    // positions closer than this are not told apart
constexpr double kLeastGain = 1e-12;  // of squares; what rounding leaves of equal values is less

// Rows of one node with the same position.
struct Group {
  double position, sum, count;
  double mean() const { return sum / count; }
};

struct Cut {
  double gain = kLeastGain;  // how much less the squares are
  std::size_t dimension = 0;
  double threshold = 0;
  std::vector<bool> left_categories;
};

}  // namespace

std::size_t category_at(double position, std::size_t categories) {
  return std::min(static_cast<std::size_t>(position * static_cast<double>(categories)), categories - 1);
}

/// Keeps, for each dimension, the rows in the order of their positions; a node's rows lie at [begin, end) of every
/// order, so that no node has to sort.
class TreeGrower {
 public:
  TreeGrower(const ForestData& data, std::vector<RegressionTree::Node>& nodes)
      : data_(data), nodes_(nodes), goes_left_(data.rows()) {
    for (const std::vector<double>& column : data.columns) {
      std::vector<std::uint32_t>& order = orders_.emplace_back(data.rows());
      std::iota(order.begin(), order.end(), 0U);
      std::stable_sort(order.begin(), order.end(),
                       [&](std::uint32_t a, std::uint32_t b) { return column[a] < column[b]; });
    }
  }

  std::size_t grow(std::size_t begin, std::size_t end, int depth) {
    const std::size_t place = nodes_.size();
    nodes_.emplace_back().value = mean(begin, end);
    Cut cut;
    for (std::size_t d = 0; depth < kDepthLimit && d < data_.dimensions(); ++d) improve(cut, d, begin, end);
    if (cut.gain <= kLeastGain) return place;
    const std::size_t middle = partition(cut, begin, end);
    nodes_[place].dimension = cut.dimension;
    nodes_[place].threshold = cut.threshold;
    nodes_[place].left_categories = std::move(cut.left_categories);
    const std::size_t left = grow(begin, middle, depth + 1), right = grow(middle, end, depth + 1);
    nodes_[place].left = left;
    nodes_[place].right = right;
    return place;
  }

 private:
  double mean(std::size_t begin, std::size_t end) const {
    double sum = 0;
    for (std::size_t k = begin; k < end; ++k) sum += data_.values[orders_[0][k]];
    return sum / static_cast<double>(end - begin);
  }

  void collect_groups(std::size_t dimension, std::size_t begin, std::size_t end) {
    const std::vector<double>& column = data_.columns[dimension];
    groups_.clear();
    for (std::size_t k = begin; k < end; ++k) {
      const std::uint32_t row = orders_[dimension][k];
      if (groups_.empty() || column[row] - groups_.back().position > kLeastGap) groups_.push_back({column[row], 0, 0});
      groups_.back().sum += data_.values[row];
      groups_.back().count += 1;
    }
  }

  // Takes the best cut along a dimension if it is better.
  void improve(Cut& best, std::size_t dimension, std::size_t begin, std::size_t end) {
    const std::size_t categories = data_.categories[dimension];
    collect_groups(dimension, begin, end);
    if (categories > 0)
      std::stable_sort(groups_.begin(), groups_.end(),
                       [](const Group& a, const Group& b) { return a.mean() < b.mean(); });
    double sum = 0;
    for (const Group& group : groups_) sum += group.sum;
    const auto count = static_cast<double>(end - begin);
    double left_sum = 0, left_count = 0;
    std::size_t left_groups = 0;
    for (std::size_t g = 0; g + 1 < groups_.size(); ++g) {
      left_sum += groups_[g].sum;
      left_count += groups_[g].count;
      const double apart = left_sum / left_count - (sum - left_sum) / (count - left_count);
      const double gain = apart * apart * left_count * (count - left_count) / count;
      if (!(gain > best.gain)) continue;
      best.gain = gain;
      best.dimension = dimension;
      left_groups = g + 1;
    }
    if (left_groups == 0) return;
    best.left_categories.clear();  // of a dimension that was best before
    if (categories > 0)
      best.left_categories = left_categories(left_groups, categories);
    else
      best.threshold = std::midpoint(groups_[left_groups - 1].position, groups_[left_groups].position);
  }

  // Categories that no row of the node has go where more rows go.
  std::vector<bool> left_categories(std::size_t left_groups, std::size_t categories) const {
    double left = 0, right = 0;
    for (std::size_t g = 0; g < groups_.size(); ++g) (g < left_groups ? left : right) += groups_[g].count;
    std::vector<bool> chosen(categories, left > right);
    for (std::size_t g = 0; g < groups_.size(); ++g)
      chosen[category_at(groups_[g].position, categories)] = g < left_groups;
    return chosen;
  }

  std::size_t partition(const Cut& cut, std::size_t begin, std::size_t end) {
    const std::vector<double>& column = data_.columns[cut.dimension];
    const std::size_t categories = data_.categories[cut.dimension];
    for (std::size_t k = begin; k < end; ++k) {
      const std::uint32_t row = orders_[0][k];
      goes_left_[row] =
          categories > 0 ? cut.left_categories[category_at(column[row], categories)] : column[row] < cut.threshold;
    }
    std::size_t middle = begin;
    for (std::vector<std::uint32_t>& order : orders_) {
      rights_.clear();
      middle = begin;
      for (std::size_t k = begin; k < end; ++k) {
        if (goes_left_[order[k]])
          order[middle++] = order[k];
        else
          rights_.push_back(order[k]);
      }
      std::copy(rights_.begin(), rights_.end(), order.begin() + static_cast<std::ptrdiff_t>(middle));
    }
    return middle;
  }

  const ForestData& data_;
  std::vector<RegressionTree::Node>& nodes_;
  std::vector<std::vector<std::uint32_t>> orders_;
  std::vector<char> goes_left_;
  std::vector<Group> groups_;          // of the node and dimension at hand
  std::vector<std::uint32_t> rights_;  // likewise
};

RegressionTree::RegressionTree(const ForestData& data) { TreeGrower(data, nodes_).grow(0, data.rows(), 0); }

double RegressionTree::predict(const std::vector<double>& positions) const {
  const Node* node = &nodes_[0];
  while (!node->is_leaf()) {
    const double position = positions[node->dimension];
    const bool left = node->left_categories.empty()
                          ? position < node->threshold
                          : node->left_categories[category_at(position, node->left_categories.size())];
    node = &nodes_[left ? node->left : node->right];
  }
  return node->value;
}

RandomForest::RandomForest(const ForestData& data, std::size_t trees, std::uint64_t seed) {
  const RandomStream stream(seed, "importance/forest");
  const std::size_t draws = std::min(data.rows(), kMostDraws);
  ForestData drawn{std::vector(data.dimensions(), std::vector<double>(draws)), data.categories,
                   std::vector<double>(draws)};
  for (std::size_t tree = 0; tree < trees; ++tree) {
    TrialRandom random(stream, static_cast<std::int64_t>(tree), 0);
    for (std::size_t k = 0; k < draws; ++k) {
      const std::size_t row = random.below(data.rows());
      drawn.values[k] = data.values[row];
      for (std::size_t d = 0; d < data.dimensions(); ++d) {
        double position = data.columns[d][row];
        if (std::isnan(position)) {
          position = random.uniform();
          const auto n = static_cast<double>(data.categories[d]);
          if (n > 0) position = (std::floor(position * n) + 0.5) / n;
        }
        drawn.columns[d][k] = position;
      }
    }
    trees_.emplace_back(drawn);
  }
}

double RandomForest::predict(const std::vector<double>& positions) const {
  double sum = 0;
  for (const RegressionTree& tree : trees_) sum += tree.predict(positions);
  return sum / static_cast<double>(trees_.size());
}

}  // namespace trireme::tune
