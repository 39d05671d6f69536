#pragma once
#include <cstddef>
#include <vector>

namespace trireme::train {

/// A curve with few enough points to be drawn: neighbours are put together, and of those the mean, the lowest and the
/// highest stay, so that no spike is lost.
struct Curve {
  std::vector<double> x, mean, low, high;  ///< x: that of the last point put together

  bool empty() const { return x.empty(); }
  /// Whether points had to be put together.
  bool has_spread = false;
};

/// @param y       as long as x; points that are not finite are left out
/// @param points  at most so many stay, at least 1
Curve decimate(const std::vector<double>& x, const std::vector<double>& y, std::size_t points);

}  // namespace trireme::train
