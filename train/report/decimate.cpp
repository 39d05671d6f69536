#include "train/report/decimate.h"

#include <algorithm>
#include <cmath>

namespace trireme::train {

Curve decimate(const std::vector<double>& x, const std::vector<double>& y, std::size_t points) {
  const auto drawable = [&](std::size_t i) { return std::isfinite(x[i]) && std::isfinite(y[i]); };
  std::size_t count = 0;
  for (std::size_t i = 0; i < y.size(); ++i) count += drawable(i);
  const std::size_t each = (count + points - 1) / std::max<std::size_t>(1, points);
  Curve curve;
  curve.has_spread = each > 1;
  double sum = 0, low = 0, high = 0;
  std::size_t held = 0, seen = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (!drawable(i)) continue;
    ++seen;
    sum = held == 0 ? y[i] : sum + y[i];
    low = held == 0 ? y[i] : std::min(low, y[i]);
    high = held == 0 ? y[i] : std::max(high, y[i]);
    if (++held < each && seen < count) continue;
    curve.x.push_back(x[i]);
    curve.mean.push_back(sum / static_cast<double>(held));
    curve.low.push_back(low);
    curve.high.push_back(high);
    held = 0;
  }
  return curve;
}

}  // namespace trireme::train
