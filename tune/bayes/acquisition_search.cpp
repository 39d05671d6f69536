#include "tune/bayes/acquisition_search.h"

#include <algorithm>
#include <cmath>

#include "tune/bayes/minimize.h"
#include "tune/search/sobol.h"

namespace trireme::tune {
namespace {

constexpr std::size_t kWideDraws = 300, kNearDraws = 200;
constexpr std::size_t kGoodPoints = 5;    // that draws are made around
constexpr std::size_t kClimbs = 5;        // from each kind of draw
constexpr std::int64_t kManyLevels = 20;  // beyond, a discrete dimension is climbed as if it were continuous
constexpr int kRounds = 3;                // of gradients and neighbours in turn

}  // namespace

AcquisitionSearch::AcquisitionSearch(const Space& space, const Kernel& kernel) : space_(space), kernel_(kernel) {}

bool AcquisitionSearch::is_smooth(Eigen::Index column) const {
  const Dimension& dimension = space_[kernel_.column(column).dimension];
  return dimension.is_ordered() && (dimension.levels() == 0 || dimension.levels() > kManyLevels);
}

std::vector<Point> AcquisitionSearch::draws(const std::vector<Point>& good, TrialRandom& random,
                                            const Region& within) const {
  std::vector<Point> points;
  const Sobol sobol(space_.size(), static_cast<std::uint64_t>(random.uniform() * 0x1p53));
  const auto place = [&](Point point, bool wide) {
    for (Eigen::Index c = 0; c < kernel_.dimensions(); ++c) {
      double& x = point[kernel_.column(c).dimension];
      if (!kernel_.column(c).ordered || std::isnan(x)) continue;
      const double low = within.low[c], high = within.high[c];
      x = wide ? low + x * (high - low) : std::clamp(x, low, high);
    }
    points.push_back(space_.snap(point));
  };
  for (std::size_t i = 0; i < kWideDraws; ++i) place(space_.draw(sobol.point(i)), true);
  if (good.empty()) return points;
  // Steps of all sizes, in a few dimensions at a time: of many dimensions most good steps change some.
  const double share = std::max(0.3, 2.0 / static_cast<double>(space_.size()));
  for (std::size_t i = 0; i < kNearDraws; ++i) {
    Point point = good[i % std::min(kGoodPoints, good.size())];
    const double size = std::pow(10.0, -0.5 - 2.5 * random.uniform());
    for (std::size_t d = 0; d < point.size(); ++d) {
      if (random.uniform() > share) continue;
      if (space_[d].is_ordered())
        point[d] = std::clamp((std::isnan(point[d]) ? 0.5 : point[d]) + size * random.normal(), 0.0, 1.0);
      else if (random.uniform() < 0.3)
        point[d] = space_[d].draw(random.uniform());
    }
    place(std::move(point), false);
  }
  return points;
}

std::optional<Highest> AcquisitionSearch::find(const Acquisition& acquisition, const std::vector<Point>& good,
                                               const std::function<bool(const Point&)>& allowed, TrialRandom& random,
                                               const Region& within) const {
  const std::vector<Point> drawn = draws(good, random, within);
  std::vector<Point> points;
  std::vector<bool> wide;
  for (std::size_t i = 0; i < drawn.size(); ++i) {
    if (!space_.is_feasible(drawn[i]) || !allowed(drawn[i])) continue;
    points.push_back(drawn[i]);
    wide.push_back(i < kWideDraws);
  }
  if (points.empty()) return std::nullopt;
  const Eigen::VectorXd values = acquisition.values(kernel_.inputs(points));
  std::vector<std::size_t> order(points.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return values[static_cast<Eigen::Index>(a)] > values[static_cast<Eigen::Index>(b)];
  });
  Highest best{points[order[0]], values[static_cast<Eigen::Index>(order[0])]};
  std::size_t climbs[2] = {0, 0};
  for (const std::size_t i : order) {
    if (climbs[wide[i]] == kClimbs) continue;
    ++climbs[wide[i]];
    Highest top = climb(acquisition, {points[i], values[static_cast<Eigen::Index>(i)]}, allowed, within);
    if (top.value > best.value) best = std::move(top);
  }
  return best;
}

Highest AcquisitionSearch::climb(const Acquisition& acquisition, Highest from,
                                 const std::function<bool(const Point&)>& allowed, const Region& within) const {
  for (int round = 0; round < kRounds; ++round) {
    const bool rose = follow_gradient(acquisition, from, allowed, within);
    if (!try_neighbours(acquisition, from, allowed) && (round > 0 || !rose)) break;
  }
  return from;
}

bool AcquisitionSearch::follow_gradient(const Acquisition& acquisition, Highest& at,
                                        const std::function<bool(const Point&)>& allowed, const Region& within) const {
  std::vector<Eigen::Index> free;
  for (Eigen::Index c = 0; c < kernel_.dimensions(); ++c)
    if (is_smooth(c) && !std::isnan(at.point[kernel_.column(c).dimension])) free.push_back(c);
  if (free.empty()) return false;
  const auto n = static_cast<Eigen::Index>(free.size());
  KernelInputs inputs = kernel_.inputs(at.point);
  const Eigen::VectorXd start = inputs.x(0, free).transpose();
  const auto descend = [&](const Eigen::VectorXd& x, Eigen::VectorXd& gradient) {
    inputs.x(0, free) = x.transpose();
    Eigen::VectorXd slope;
    const double value = acquisition.value(inputs, slope);
    gradient = -slope(free);
    return -value;
  };
  const Eigen::VectorXd low = within.low(free), high = within.high(free);
  const Minimum found =
      minimize(descend, start, low, high,
               {.most_iterations = 30, .gradient_tolerance = 1e-4, .value_tolerance = 1e-6, .first_step = 0.03});
  // Back towards the start, where constraints forbid the top.
  for (double share = 1; share > 0.01; share /= 2) {
    Point point = at.point;
    for (Eigen::Index i = 0; i < n; ++i)
      point[kernel_.column(free[static_cast<std::size_t>(i)]).dimension] = start[i] + share * (found.x[i] - start[i]);
    point = space_.snap(point);
    if (!space_.is_feasible(point) || !allowed(point)) continue;
    const double value = acquisition.values(kernel_.inputs(point))[0];
    if (!(value > at.value)) return false;
    at = {std::move(point), value};
    return true;
  }
  return false;
}

bool AcquisitionSearch::try_neighbours(const Acquisition& acquisition, Highest& at,
                                       const std::function<bool(const Point&)>& allowed) const {
  std::vector<Point> points;
  for (Eigen::Index c = 0; c < kernel_.dimensions(); ++c) {
    const std::size_t d = kernel_.column(c).dimension;
    const std::int64_t levels = space_[d].levels();
    if (std::isnan(at.point[d]) || levels == 0) continue;
    const std::int64_t level = space_[d].level_of(at.point[d]);
    const bool ordered = space_[d].is_ordered();
    const std::int64_t first = ordered ? level - 1 : 0, last = ordered ? level + 1 : std::min(levels, kManyLevels) - 1;
    for (std::int64_t other = std::max<std::int64_t>(first, 0); other <= std::min(last, levels - 1); ++other) {
      if (other == level) continue;
      Point point = at.point;
      point[d] = space_[d].position_of_level(other);
      point = space_.snap(point);
      if (space_.is_feasible(point) && allowed(point)) points.push_back(std::move(point));
    }
  }
  if (points.empty()) return false;
  Eigen::Index best = 0;
  const double value = acquisition.values(kernel_.inputs(points)).maxCoeff(&best);
  if (!(value > at.value)) return false;
  at = {points[static_cast<std::size_t>(best)], value};
  return true;
}

}  // namespace trireme::tune
