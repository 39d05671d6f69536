#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace trireme::tune {

/// What trees are grown from: a column of positions in [0, 1] (dimension.h) a dimension, and a value for each row.
struct ForestData {
  std::vector<std::vector<double>> columns;  ///< kInactive where a dimension is not there
  std::vector<std::size_t> categories;       ///< of a dimension without order: how many it has; 0: ordered
  std::vector<double> values;                ///< finite, of about unit deviation

  std::size_t dimensions() const { return columns.size(); }
  std::size_t rows() const { return values.size(); }
};

/// The category of a position: that of level k of n is (k + 0.5) / n.
std::size_t category_at(double position, std::size_t categories);

/// A piecewise constant function over boxes: each inner node cuts its box in two along one dimension. Cuts are those
/// that leave the least squares of differences from the means; boxes are cut until nothing is left to tell apart.
///
/// Categories are divided into any two sets: the best division is one along their mean values.
/// Sources: Breiman et al. 1984, "Classification and Regression Trees"; Fisher 1958, "On grouping for maximum
/// homogeneity", J. Am. Stat. Assoc. 53, for categories.
class RegressionTree {
 public:
  struct Node {
    std::size_t dimension = 0;          ///< that is cut
    double threshold = 0;               ///< of an ordered one: positions below it go left
    std::vector<bool> left_categories;  ///< of one without order: which go left
    std::size_t left = 0, right = 0;    ///< places in nodes(); 0: a leaf
    double value = 0;                   ///< mean of the rows in its box
    bool is_leaf() const { return left == 0; }
  };

  /// @param data  nothing in it is inactive; at least one row
  explicit RegressionTree(const ForestData& data);

  const std::vector<Node>& nodes() const { return nodes_; }  ///< the root first
  double predict(const std::vector<double>& positions) const;

 private:
  friend class TreeGrower;
  std::vector<Node> nodes_;
};

/// A random forest: trees, each grown from as many draws of the rows as there are (at most 2,048), with replacement.
///
/// A parameter that is not there has no effect: the function is constant along it. So each draw of a row puts what is
/// inactive at a random position, and trees see a function on the whole cube, with no combination that cannot be.
///
/// Source: Breiman 2001, "Random forests", Machine Learning 45. All dimensions compete for each cut.
class RandomForest {
 public:
  RandomForest(const ForestData& data, std::size_t trees, std::uint64_t seed);
  const std::vector<RegressionTree>& trees() const { return trees_; }
  double predict(const std::vector<double>& positions) const;  ///< mean of the trees

 private:
  std::vector<RegressionTree> trees_;
};

}  // namespace trireme::tune
