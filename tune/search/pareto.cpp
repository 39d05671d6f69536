#include "tune/search/pareto.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>

namespace trireme::tune {
namespace {

using Values = std::vector<std::vector<double>>;

// Nothing dominates what stands before it in this order.
std::vector<std::size_t> lexicographic_order(const Values& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  return order;
}

Values front_of(const Values& values) {
  Values front;
  for (const std::size_t i : pareto_front(values)) front.push_back(values[i]);
  return front;
}

double box(const std::vector<double>& value, const std::vector<double>& reference) {
  double volume = 1;
  for (std::size_t m = 0; m < value.size(); ++m) volume *= reference[m] - value[m];
  return volume;
}

// @param front  none dominates another
double area(Values front, const std::vector<double>& reference) {
  std::sort(front.begin(), front.end());
  double sum = 0, top = reference[1];
  for (const auto& value : front) {
    sum += (reference[0] - value[0]) * (top - value[1]);
    top = value[1];
  }
  return sum;
}

// WFG: each adds what it dominates alone of itself and those behind it, its box less what they cut out of that box.
double volume(Values front, const std::vector<double>& reference) {
  if (reference.size() == 2) return area(std::move(front), reference);
  // Worst first in the first objective: those behind then cut more, and their cuts dominate one another more often.
  std::sort(front.begin(), front.end(), std::greater<>());
  double sum = 0;
  for (std::size_t i = 0; i < front.size(); ++i) {
    Values cuts(front.begin() + static_cast<std::ptrdiff_t>(i) + 1, front.end());
    for (auto& cut : cuts)
      for (std::size_t m = 0; m < cut.size(); ++m) cut[m] = std::max(cut[m], front[i][m]);
    sum += box(front[i], reference) - (cuts.empty() ? 0 : volume(front_of(cuts), reference));
  }
  return sum;
}

// Values that are below the reference in all objectives: the others dominate nothing below it.
Values below(const Values& values, const std::vector<double>& reference) {
  Values found;
  for (const auto& value : values) {
    bool is_below = true;
    for (std::size_t m = 0; m < reference.size(); ++m) is_below = is_below && value[m] < reference[m];
    if (is_below) found.push_back(value);
  }
  return found;
}

// Slabs of the last of the first `objectives`: as it gets worse, more values have a say in those before it. The bounds
// of the objectives behind it are `outer`'s.
// @param front  of the first `objectives`; below the reference
void add_boxes(const Values& front, std::size_t objectives, const std::vector<double>& reference, Box& outer,
               std::vector<Box>& boxes) {
  const std::size_t last = objectives - 1;
  std::vector<double> borders{reference[last]};
  for (const auto& value : front) borders.push_back(value[last]);
  std::sort(borders.begin(), borders.end());
  borders.erase(std::unique(borders.begin(), borders.end()), borders.end());
  double lower = -std::numeric_limits<double>::infinity();
  for (const double upper : borders) {
    outer.lower[last] = lower;
    outer.upper[last] = upper;
    lower = upper;
    if (last == 0) {  // what is not better than the best of one objective is dominated
      boxes.push_back(outer);
      return;
    }
    Values here;
    for (const auto& value : front)
      if (value[last] < upper) here.emplace_back(value.begin(), value.begin() + static_cast<std::ptrdiff_t>(last));
    add_boxes(front_of(here), last, reference, outer, boxes);
  }
}

// Adds one objective's gaps to `distances` of `members`, all of one rank.
void add_gaps(const Values& values, std::size_t objective, std::vector<std::size_t> members,
              std::vector<double>& distances) {
  const auto value = [&](std::size_t k) { return values[members[k]][objective] / 2; };  // differences stay finite
  std::stable_sort(members.begin(), members.end(),
                   [&](std::size_t a, std::size_t b) { return values[a][objective] < values[b][objective]; });
  const std::size_t last = members.size() - 1;
  const double range = value(last) - value(0);
  distances[members[0]] = distances[members[last]] = std::numeric_limits<double>::infinity();
  for (std::size_t k = 1; k < last && range > 0; ++k) distances[members[k]] += (value(k + 1) - value(k - 1)) / range;
}

}  // namespace

bool dominates(const std::vector<double>& a, const std::vector<double>& b) {
  bool better = false;
  for (std::size_t m = 0; m < a.size(); ++m) {
    if (a[m] > b[m]) return false;
    better = better || a[m] < b[m];
  }
  return better;
}

std::vector<std::size_t> pareto_front(const Values& values) {
  std::vector<std::size_t> front;
  for (const std::size_t i : lexicographic_order(values))
    if (std::none_of(front.begin(), front.end(), [&](std::size_t f) { return dominates(values[f], values[i]); }))
      front.push_back(i);
  std::sort(front.begin(), front.end());
  return front;
}

std::vector<std::size_t> domination_ranks(const Values& values) {
  std::vector<std::size_t> ranks(values.size());
  std::vector<Values> fronts;  // different values only
  const std::vector<double>* previous = nullptr;
  std::size_t rank = 0;
  for (const std::size_t i : lexicographic_order(values)) {
    if (previous == nullptr || *previous != values[i]) {
      // Who is dominated by one of a front is so by one of each earlier front: the first without can be halved for.
      const auto first = std::partition_point(fronts.begin(), fronts.end(), [&](const Values& front) {
        return std::any_of(front.rbegin(), front.rend(), [&](const auto& f) { return dominates(f, values[i]); });
      });
      rank = static_cast<std::size_t>(first - fronts.begin());
      if (rank == fronts.size()) fronts.emplace_back();
      fronts[rank].push_back(values[i]);
    }
    ranks[i] = rank;
    previous = &values[i];
  }
  return ranks;
}

std::vector<double> crowding_distances(const Values& values, const std::vector<std::size_t>& ranks) {
  std::vector<std::vector<std::size_t>> members;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (ranks[i] >= members.size()) members.resize(ranks[i] + 1);
    members[ranks[i]].push_back(i);
  }
  std::vector<double> distances(values.size(), 0);
  for (const auto& rank : members)
    for (std::size_t m = 0; !rank.empty() && m < values[rank[0]].size(); ++m) add_gaps(values, m, rank, distances);
  return distances;
}

double hypervolume(const Values& values, const std::vector<double>& reference) {
  const Values inside = below(values, reference);
  if (inside.empty()) return 0;
  if (reference.size() == 1) return reference[0] - std::min_element(inside.begin(), inside.end())->front();
  return volume(front_of(inside), reference);
}

std::vector<Box> undominated_boxes(const Values& values, const std::vector<double>& reference) {
  std::vector<Box> boxes;
  Box outer{reference, reference};
  add_boxes(front_of(below(values, reference)), reference.size(), reference, outer, boxes);
  return boxes;
}

}  // namespace trireme::tune
