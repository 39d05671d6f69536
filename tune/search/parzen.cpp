#include "tune/search/parzen.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "tune/search/untried.h"

namespace trireme::tune {
namespace {

double log_sum_exp(const std::vector<double>& logs) {
  const double largest = *std::max_element(logs.begin(), logs.end());
  if (largest == -std::numeric_limits<double>::infinity()) return largest;
  double sum = 0;
  for (const double log : logs) sum += std::exp(log - largest);
  return largest + std::log(sum);
}

// Of kernels on one axis: the wider gap on either side, that to an end of the axis only where there is no other.
std::vector<double> widths_of(const std::vector<double>& centres, double least) {
  const std::size_t n = centres.size();
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return centres[a] < centres[b]; });
  std::vector<double> widths(n);
  for (std::size_t k = 0; k < n; ++k) {
    const double centre = centres[order[k]];
    const double below = k > 0 ? centre - centres[order[k - 1]] : n > 1 ? 0 : centre;
    const double above = k + 1 < n ? centres[order[k + 1]] - centre : n > 1 ? 0 : 1 - centre;
    widths[order[k]] = std::max({below, above, least});
  }
  return widths;
}

// Of a normal curve of height 1, from 0 to 1.
double mass_inside(double centre, double width) {
  const auto tail = [&](double from) { return std::erfc(from / width / std::numbers::sqrt2) / 2; };
  return (1 - tail(centre) - tail(1 - centre)) * width * std::sqrt(2 * std::numbers::pi);
}

}  // namespace

ParzenEstimator::ParzenEstimator(const Space& space, const std::vector<std::size_t>& dimensions,
                                 std::vector<Point> centres)
    : space_(space), centres_(std::move(centres)) {
  const double least = 1 / std::min(static_cast<double>(centres_.size()) + 2, 100.0);
  for (const std::size_t dimension : dimensions) {
    Axis axis{dimension};
    if (space[dimension].is_ordered()) {
      std::vector<double> positions;
      for (const Point& centre : centres_) positions.push_back(centre[dimension]);
      const auto levels = static_cast<double>(space[dimension].levels());
      axis.widths = widths_of(positions, std::max(least, levels > 0 ? 0.5 / levels : 0));
      for (std::size_t k = 0; k < positions.size(); ++k)
        axis.log_masses.push_back(std::log(mass_inside(positions[k], axis.widths[k])));
    } else {
      axis.probabilities = level_probabilities(space[dimension]);
    }
    axes_.push_back(std::move(axis));
  }
}

double ParzenEstimator::log_kernel(const Axis& axis, std::size_t kernel, double position) const {
  const double centre = centres_[kernel][axis.dimension];
  if (axis.probabilities.empty()) {
    const double z = (position - centre) / axis.widths[kernel];
    return -0.5 * z * z - axis.log_masses[kernel];
  }
  const Dimension& dimension = space_[axis.dimension];
  const auto levels = static_cast<double>(axis.probabilities.size());
  const double spread = levels / static_cast<double>(centres_.size() + 1);
  const double own = axis.probabilities[static_cast<std::size_t>(dimension.level_of(position))];
  const bool same = dimension.level_of(position) == dimension.level_of(centre);
  return std::log((same + spread * own) / (1 + spread));
}

// Of the space's own distribution: positions are uniform in it.
double ParzenEstimator::log_prior(const Point& point) const {
  double log = 0;
  for (const Axis& axis : axes_)
    if (!axis.probabilities.empty())
      log += std::log(
          axis.probabilities[static_cast<std::size_t>(space_[axis.dimension].level_of(point[axis.dimension]))]);
  return log;
}

double ParzenEstimator::draw_kernel(const Axis& axis, std::size_t kernel, TrialRandom& random) const {
  const double centre = centres_[kernel][axis.dimension];
  const Dimension& dimension = space_[axis.dimension];
  if (axis.probabilities.empty()) {
    double position = -1;
    while (!(position >= 0 && position <= 1)) position = centre + axis.widths[kernel] * random.normal();
    return dimension.snap(position);
  }
  const double spread = static_cast<double>(axis.probabilities.size()) / static_cast<double>(centres_.size() + 1);
  if (random.uniform() * (1 + spread) < 1) return centre;
  return dimension.draw(random.uniform());
}

void ParzenEstimator::draw(TrialRandom& random, Point& point) const {
  const std::size_t kernel = random.below(centres_.size() + 1);
  for (const Axis& axis : axes_)
    point[axis.dimension] =
        kernel == centres_.size() ? space_[axis.dimension].draw(random.uniform()) : draw_kernel(axis, kernel, random);
}

double ParzenEstimator::log_density(const Point& point) const {
  std::vector<double> logs = {log_prior(point)};
  for (std::size_t kernel = 0; kernel < centres_.size(); ++kernel) {
    double log = 0;
    for (const Axis& axis : axes_) log += log_kernel(axis, kernel, point[axis.dimension]);
    logs.push_back(log);
  }
  return log_sum_exp(logs) - std::log(static_cast<double>(logs.size()));
}

}  // namespace trireme::tune
