#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>

#include "tune/search/method.h"

namespace trireme::tune {

/// The points that are left to try. Where all values are discrete a search tries no point twice, and where there are
/// finitely many it ends when all have been tried, whatever came of them. Elsewhere everything is left: a search seldom
/// draws a real number twice.
class Untried {
 public:
  explicit Untried(const Space& space);

  /// From now on, points of this history have been tried.
  void see(const History& history);

  /// Whether a snapped point obeys the constraints and is left.
  bool contains(const Point& point) const;

  /// Whether points are compared at all.
  bool is_discrete() const { return is_discrete_; }
  /// How many points the space has, constraints left aside; nothing when there is no end of them.
  std::optional<std::uint64_t> distinct() const { return distinct_; }

  /// Any of the points that are left, found by going through the space: for where draws no longer find one. Only
  /// where distinct() is a number.
  /// @param uniform  in [0, 1): which of them; beyond 4096 that are left, which of the first 4096
  /// @throws Error kUsage when the constraints leave nothing, or so little that it is not found
  std::optional<Point> pick(double uniform) const;

 private:
  const Space& space_;
  bool is_discrete_;
  std::optional<std::uint64_t> distinct_;
  std::unordered_set<std::string> tried_;
};

/// How likely the space's distribution makes each level of a dimension that has levels.
std::vector<double> level_probabilities(const Dimension& dimension);

}  // namespace trireme::tune
