#pragma once
#include <cstddef>
#include <vector>

#include "tune/search/trial_random.h"
#include "tune/space/space.h"

namespace trireme::tune {

/// A density over some dimensions of a space, made of one kernel around each of a few points and of the space's own
/// distribution as one more: so nothing is ever ruled out, and with no points at all it is that distribution.
///
/// A kernel is a product over dimensions. Ordered ones have a normal curve on positions, cut off at both ends. Its
/// width is the wider gap to the next kernel on either side of that axis, and no less than 1/(n+2) with n kernels,
/// 1/100 or half a level: kernels that lie close together in one dimension, and only in that, become narrow there.
/// Choices without order have probability 1 at the kernel's own and 1/(n+1) a choice spread over all, as the space's
/// distribution has it.
///
/// Sources: Bergstra et al. 2011, "Algorithms for hyper-parameter optimization", NIPS, section 4, for the widths;
/// Falkner et al. 2018, "BOHB", arXiv:1807.01774, for the product; Watanabe 2023, arXiv:2304.11127,
/// compares both.
class ParzenEstimator {
 public:
  /// @param dimensions  of the space, active in all of `centres`
  ParzenEstimator(const Space& space, const std::vector<std::size_t>& dimensions, std::vector<Point> centres);

  /// Sets the dimensions of `point` to a draw, snapped.
  void draw(TrialRandom& random, Point& point) const;
  /// A density over positions of ordered dimensions, and a probability of choices without order.
  double log_density(const Point& point) const;

 private:
  struct Axis {
    std::size_t dimension;
    std::vector<double> widths;         // of kernels, where values have an order
    std::vector<double> log_masses;     // logarithms of what their curves have in [0, 1], times sqrt(2 pi) width
    std::vector<double> probabilities;  // of levels, where they have none
  };
  double log_kernel(const Axis& axis, std::size_t kernel, double position) const;
  double log_prior(const Point& point) const;
  double draw_kernel(const Axis& axis, std::size_t kernel, TrialRandom& random) const;

  const Space& space_;
  std::vector<Axis> axes_;
  std::vector<Point> centres_;
};

}  // namespace trireme::tune
