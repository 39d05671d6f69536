#include "tune/search/untried.h"

#include <algorithm>
#include <numeric>

#include "core/base/error.h"

namespace trireme::tune {
Untried::Untried(const Space& space)
    : space_(space),
      is_discrete_(std::all_of(space.dimensions().begin(), space.dimensions().end(),
                               [](const Dimension& dimension) { return dimension.is_discrete(); })),
      distinct_(space.distinct()) {}

void Untried::see(const History& history) {
  tried_.clear();
  if (!is_discrete_) return;
  for (const Observation& observation : history) tried_.insert(space_.key(observation.point));
}

bool Untried::contains(const Point& point) const {
  return space_.is_feasible(point) && !(is_discrete_ && tried_.contains(space_.key(point)));
}

std::optional<Point> Untried::pick(double uniform) const {
  constexpr std::size_t kMost = 4096;
  constexpr std::uint64_t kMostLookedAt = 5'000'000;  // half a second
  std::vector<Point> left;
  bool any = false;
  space_.for_each_point(
      [&](const Point& point) {
        any = true;
        if (!tried_.contains(space_.key(point))) left.push_back(point);
        return left.size() < kMost;
      },
      kMostLookedAt);
  if (left.empty() && *distinct_ > kMostLookedAt)
    throw Error(ErrorCode::kUsage, "constraints leave nothing, or nearly so: none of ", kMostLookedAt,
                " points obeys them and is left to try");
  if (!any) throw Error(ErrorCode::kUsage, "constraints leave nothing: none of the space's points obeys them all");
  if (left.empty()) return std::nullopt;
  return left[std::min(left.size() - 1, static_cast<std::size_t>(uniform * static_cast<double>(left.size())))];
}

std::vector<double> level_probabilities(const Dimension& dimension) {
  const auto levels = static_cast<std::size_t>(dimension.levels());
  if (dimension.weights.empty()) return std::vector<double>(levels, 1.0 / static_cast<double>(levels));
  const double sum = std::accumulate(dimension.weights.begin(), dimension.weights.end(), 0.0);
  std::vector<double> probabilities(levels);
  for (std::size_t choice = 0; choice < levels; ++choice) {
    const std::int64_t level = dimension.level_of(dimension.position_of(dimension.choices[choice]));
    probabilities[static_cast<std::size_t>(level)] = dimension.weights[choice] / sum;
  }
  return probabilities;
}

}  // namespace trireme::tune
