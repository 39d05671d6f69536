#pragma once
#include <functional>
#include <optional>
#include <vector>

#include "tune/bayes/acquisition.h"
#include "tune/bayes/trust_region.h"
#include "tune/search/trial_random.h"
#include "tune/space/space.h"

namespace trireme::tune {

/// Where an acquisition is highest, and how much it is there.
struct Highest {
  Point point;
  double value;
};

/// Looks for it: draws all over the space and around good points, then climbs from the best of them, by gradients in
/// dimensions that are (nearly) continuous and by trying neighbours and other choices in the rest.
class AcquisitionSearch {
 public:
  /// Both have to outlive it.
  AcquisitionSearch(const Space& space, const Kernel& kernel);

  /// @param good     points tried, best first
  /// @param allowed  false for points that may not be proposed; feasible ones alone are asked for
  /// @param within   what of the dimensions with an order is searched, a column of the kernel each; those that others
  ///                 depend on have to be whole
  /// @returns nothing when no draw was feasible and allowed
  std::optional<Highest> find(const Acquisition& acquisition, const std::vector<Point>& good,
                              const std::function<bool(const Point&)>& allowed, TrialRandom& random,
                              const Region& within) const;

  /// Whether a column of the kernel is climbed by gradients.
  bool is_smooth(Eigen::Index column) const;
  /// The points that it looks at first: all over what is searched, and around good ones.
  std::vector<Point> draws(const std::vector<Point>& good, TrialRandom& random, const Region& within) const;

 private:
  Highest climb(const Acquisition& acquisition, Highest from, const std::function<bool(const Point&)>& allowed,
                const Region& within) const;
  bool follow_gradient(const Acquisition& acquisition, Highest& at, const std::function<bool(const Point&)>& allowed,
                       const Region& within) const;
  bool try_neighbours(const Acquisition& acquisition, Highest& at,
                      const std::function<bool(const Point&)>& allowed) const;

  const Space& space_;
  const Kernel& kernel_;
};

}  // namespace trireme::tune
