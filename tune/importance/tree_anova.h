#pragma once
#include <cstddef>
#include <vector>

#include "tune/importance/random_forest.h"

namespace trireme::tune {

/// How a tree's variance over the unit cube divides among its dimensions, exactly: a tree is constant in boxes, so all
/// means over the other dimensions are sums of values times volumes.
///
/// Positions are uniform, and all categories are alike.
/// Source: Hutter, Hoos and Leyton-Brown 2014, "An efficient approach for assessing hyperparameter importance", ICML.
class TreeAnova {
 public:
  /// @param categories  as in ForestData
  TreeAnova(const RegressionTree& tree, const std::vector<std::size_t>& categories);

  double variance() const { return variance_; }
  /// The variance of the mean over all other dimensions.
  double main_effect(std::size_t dimension) const { return main_effects_[dimension]; }
  /// The variance of the mean over all but two dimensions, beyond their main effects.
  double interaction(std::size_t a, std::size_t b) const;

 private:
  // A dimension is divided into cells by all cuts along it; a leaf's side is a set of them: runs [begin, end).
  struct Run {
    std::size_t begin, end;
  };
  using Side = std::vector<Run>;
  struct Leaf {
    double value, volume;
    std::vector<Side> sides;
  };

  void visit(const RegressionTree& tree, std::size_t node, std::vector<Side>& sides);
  double width(std::size_t dimension, std::size_t cell) const {
    return edges_[dimension][cell + 1] - edges_[dimension][cell];
  }
  double width(std::size_t dimension, const Side& side) const;
  double variance_of_mean(std::size_t dimension) const;

  std::vector<std::vector<double>> edges_;  // of a dimension's cells, from 0 to 1
  std::vector<Leaf> leaves_;
  double mean_ = 0, variance_ = 0;
  std::vector<double> main_effects_;
};

}  // namespace trireme::tune
