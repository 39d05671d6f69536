#pragma once
#include <Eigen/Core>
#include <cstddef>
#include <vector>

#include "tune/search/trial_random.h"

namespace trireme::tune {

/// The normal distribution over positions that CMA-ES draws a generation from and moves after it.
///
/// Source: Hansen 2016, "The CMA evolution strategy: a tutorial", arXiv:1604.00772, figure 6 and table 1, with positive
/// weights alone. Steps over the edge are mirrored, and the mirrored positions are what it learns from, so its mean
/// never leaves the box. A discrete dimension is drawn with no less than a given deviation, or it would settle on one
/// value for good; the covariance does not see that widening. That is the idea of Hamano et al. 2022, "CMA-ES with
/// margin", arXiv:2205.13482, in its plainest form.
class CmaDistribution {
 public:
  /// @param mean             in [0, 1]; as many as there are dimensions, at least one
  /// @param generation_size  how many trials a generation has, at least 4
  /// @param least            of each dimension the least deviation that it is drawn with; 0: none
  CmaDistribution(const Eigen::VectorXd& mean, double deviation, std::size_t generation_size,
                  const Eigen::VectorXd& least);

  /// Positions in [0, 1].
  Eigen::VectorXd draw(TrialRandom& random) const;

  /// Moves on to the next generation. @param samples  what was drawn, best first, without those that have no value; at
  /// least one; all behind the better half of a generation do not count
  void update(const std::vector<Eigen::VectorXd>& samples);

  const Eigen::VectorXd& mean() const { return mean_; }
  double largest_deviation() const;  ///< along an axis of the space
  double condition() const;          ///< largest eigenvalue of the covariance by the smallest

 private:
  void decompose();

  Eigen::VectorXd mean_;
  double sigma_;
  std::size_t generation_size_;
  Eigen::VectorXd least_;
  std::size_t generation_ = 0;
  Eigen::MatrixXd covariance_;
  Eigen::VectorXd sigma_path_, covariance_path_;
  // Follow from the covariance:
  Eigen::MatrixXd axes_;
  Eigen::VectorXd lengths_;  // of the axes
  Eigen::VectorXd widening_;
};

}  // namespace trireme::tune
