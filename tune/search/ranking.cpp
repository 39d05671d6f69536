#include "tune/search/ranking.h"

#include <algorithm>
#include <numeric>

#include "tune/search/pareto.h"

namespace trireme::tune {

std::vector<std::size_t> best_first(const History& history) {
  std::vector<std::size_t> places(history.size());
  std::iota(places.begin(), places.end(), 0);
  return best_first(history, places);
}

std::vector<std::size_t> best_first(const History& history, const std::vector<std::size_t>& places) {
  std::vector<std::size_t> done, bad;
  std::vector<std::vector<double>> values;
  for (const std::size_t place : places) {
    if (history[place].outcome == Outcome::kPending) continue;
    const bool is_done = history[place].outcome == Outcome::kDone;
    (is_done ? done : bad).push_back(place);
    if (is_done) values.push_back(history[place].values);
  }
  const auto ranks = domination_ranks(values);
  const bool several = !values.empty() && values[0].size() > 1;
  const auto loneliness = several ? crowding_distances(values, ranks) : std::vector<double>(values.size());
  std::vector<std::size_t> order(done.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return ranks[a] != ranks[b] ? ranks[a] < ranks[b] : loneliness[a] > loneliness[b];
  });
  std::vector<std::size_t> sorted;
  for (const std::size_t i : order) sorted.push_back(done[i]);
  sorted.insert(sorted.end(), bad.begin(), bad.end());
  return sorted;
}

}  // namespace trireme::tune
