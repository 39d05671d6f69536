#pragma once
#include <cstddef>
#include <vector>

#include "tune/search/method.h"

namespace trireme::tune {

/// Places in `history` of trials that have ended, best first: by value; with several objectives by domination rank, and
/// within a rank the lonelier first (crowding_distances of pareto.h). Equal ones keep their order, and those that
/// failed or were infeasible come last.
std::vector<std::size_t> best_first(const History& history);

/// The same order of some of a history's places.
std::vector<std::size_t> best_first(const History& history, const std::vector<std::size_t>& places);

}  // namespace trireme::tune
