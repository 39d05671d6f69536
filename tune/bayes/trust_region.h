#pragma once
#include <Eigen/Core>
#include <cstddef>
#include <vector>

namespace trireme::tune {

/// Ranges of positions within [0, 1].
struct Region {
  static Region whole(Eigen::Index dimensions) {
    return {Eigen::VectorXd::Zero(dimensions), Eigen::VectorXd::Ones(dimensions)};
  }
  Eigen::VectorXd low, high;
};

/// How much of a space of many dimensions is searched around the best point, where there are too few trials for all of
/// it: twice as much after some trials that were better than all before, half after many that were not. When it has
/// become so small that nothing is left to find, it begins anew at its first size. It follows from the trials alone.
///
/// Source: Eriksson et al. 2019, "Scalable global optimization via local Bayesian optimization", arXiv:1910.01739.
class TrustRegion {
 public:
  /// A trial that is done.
  struct Trial {
    double value;
    bool counts;  ///< it was looked for in the region: it succeeded or failed there
  };
  /// @param trials  in the order of their numbers, at least one
  TrustRegion(const std::vector<Trial>& trials, std::size_t dimensions);

  double side() const { return side_; }           ///< of its edges the geometric mean, as a share of the ranges
  std::size_t centre() const { return centre_; }  ///< index of the trial that it lies around

  /// Edges are longer in dimensions along which the function varies less.
  /// @param centre  position of the centre
  /// @param columns  that have edges; the others are searched as a whole
  Region around(const Eigen::VectorXd& centre, const Eigen::VectorXd& log_inverse_length,
                const std::vector<Eigen::Index>& columns) const;

 private:
  double side_;
  std::size_t centre_ = 0;
};

}  // namespace trireme::tune
