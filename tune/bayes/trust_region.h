#pragma once
#include <Eigen/Core>

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
  /// @param values  of the trials that are done, in the order of their numbers; at least one
  TrustRegion(const Eigen::VectorXd& values, Eigen::Index dimensions);

  double side() const { return side_; }            ///< of its edges the geometric mean, as a share of the ranges
  Eigen::Index centre() const { return centre_; }  ///< index of the trial that it lies around

  /// Edges are longer in dimensions along which the function varies less.
  /// @param centre  position of the centre
  Region around(const Eigen::VectorXd& centre, const Eigen::VectorXd& log_inverse_length) const;

 private:
  double side_;
  Eigen::Index centre_ = 0;
};

}  // namespace trireme::tune
