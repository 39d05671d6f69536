#pragma once
#include <cstddef>
#include <vector>

namespace trireme::tune {

/// What several objectives leave of "better". Each vector has one value an objective, finite, lower is better; all have
/// the same length. With one objective these are the minimum, the order, and the distance to the reference.

/// Whether `a` is nowhere worse than `b` and somewhere better.
bool dominates(const std::vector<double>& a, const std::vector<double>& b);

/// Places of those that none dominates, ascending; of equal ones all.
std::vector<std::size_t> pareto_front(const std::vector<std::vector<double>>& values);

/// 0 for the front, 1 for what is the front once that is taken away, and so on.
/// Source: Zhang et al. 2015, "An efficient approach to nondominated sorting", IEEE Trans. Evol. Comput. 19(2), ENS-BS.
std::vector<std::size_t> domination_ranks(const std::vector<std::vector<double>>& values);

/// How lonely each is among those of its own rank: the sum over objectives of the gap between its neighbours, as a
/// share of the rank's range; infinite at either end. Source: Deb et al. 2002, "A fast and elitist multiobjective
/// genetic algorithm: NSGA-II", section III-B.
std::vector<double> crowding_distances(const std::vector<std::vector<double>>& values,
                                       const std::vector<std::size_t>& ranks);

/// Volume of what the values dominate and that dominates `reference`; values not below it in all objectives add
/// nothing. Exact: O(n log n) for two objectives, and in the worst case exponential in their number, so for some
/// hundred values of up to about five objectives. Source: While, Bradstreet & Barone 2012, "A fast way of calculating
/// exact hypervolumes" (WFG), IEEE Trans. Evol. Comput. 16(1).
double hypervolume(const std::vector<std::vector<double>>& values, const std::vector<double>& reference);

/// A box of vectors: lower[m] <= z[m] < upper[m]; a lower bound may be minus infinity.
struct Box {
  std::vector<double> lower, upper;
};

/// Boxes without common points that together hold all vectors below `reference` that none of the values dominates or
/// equals. At most n + 1 to the power of the number of objectives less one: for some tens of values.
std::vector<Box> undominated_boxes(const std::vector<std::vector<double>>& values,
                                   const std::vector<double>& reference);

}  // namespace trireme::tune
