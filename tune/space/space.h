#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "tune/space/constraint.h"
#include "tune/space/dimension.h"
#include "tune/space/value.h"

namespace trireme::tune {

/// A place in a space: a position in [0, 1] for each dimension (dimension.h), kInactive for those that are not there.
using Point = std::vector<double>;
inline constexpr double kInactive = std::numeric_limits<double>::quiet_NaN();

/// What is searched: parameters, the conditions under which they are there, and the inequalities they have to obey.
class Space {
 public:
  /// A condition that a dimension depends on: the parent's place, and which of its values make it active, as it has
  /// them.
  struct Gate {
    std::size_t parent;
    Condition condition;
  };

  Space() = default;
  /// @throws Error kUsage: no parameter, a name given twice, an unknown parent (with the nearest name), conditions in a
  /// circle or that can never hold, an unknown name in a constraint
  explicit Space(std::vector<Dimension> dimensions, std::vector<Constraint> constraints = {});

  std::size_t size() const { return dimensions_.size(); }
  const Dimension& operator[](std::size_t i) const { return dimensions_[i]; }
  const std::vector<Dimension>& dimensions() const { return dimensions_; }
  const std::vector<Constraint>& constraints() const { return constraints_; }
  /// Places of dimensions such that parents come before what depends on them.
  const std::vector<std::size_t>& order() const { return order_; }
  const std::vector<Gate>& gates(std::size_t i) const { return gates_[i]; }
  std::optional<std::size_t> find(const std::string& name) const;
  bool has_conditions() const { return has_conditions_; }

  /// The point that is meant by any numbers: each position clamped and snapped, what is not active made kInactive. A
  /// dimension that is active but was kInactive gets the middle of its range.
  Point snap(const Point& point) const;
  /// A draw of all distributions from uniform numbers in [0, 1), one a dimension; constraints are not looked at.
  Point draw(const std::vector<double>& uniforms) const;
  /// The first of endless draws that obeys the constraints: `uniform(attempt, dimension)` gives the numbers.
  /// @throws Error kUsage when 100,000 attempts gave none: the constraints leave nothing, or nearly so
  Point draw_feasible(const std::function<double(std::uint64_t attempt, std::size_t dimension)>& uniform) const;
  /// Whether a snapped point obeys all constraints.
  bool is_feasible(const Point& point) const;
  /// Whether dimension `i` is active, given the positions of its parents.
  bool is_active(const Point& point, std::size_t i) const;

  Parameters parameters(const Point& point) const;
  /// @throws Error kBadInput: an unknown name, one that is not active, a missing one, a value that the space does not
  /// have, a broken constraint
  Point point(const Parameters& parameters) const;

  /// How many different points there are, constraints left aside; nothing when there is no end of them (or too many
  /// combinations of parents to count).
  std::optional<std::uint64_t> distinct() const;
  /// All different points that obey the constraints, in the order of values as written, the last dimension of order()
  /// turning fastest; until `visit` says false. @param most  points that are looked at, whether they obey or not
  /// @throws Error kUsage naming a dimension with no end of values; 50,000,000 points in a row that do not obey
  void for_each_point(const std::function<bool(const Point&)>& visit,
                      std::uint64_t most = std::numeric_limits<std::uint64_t>::max()) const;

  /// Same text for the same point: to find points that have been tried.
  std::string key(const Point& point) const;

 private:
  [[noreturn]] void fail_for_constraints(std::uint64_t seen, const char* what) const;
  void add_gates(const std::vector<std::string>& names);
  void order_by_parents();
  bool is_open(const Gate& gate, const Point& point) const;
  bool holds(const Constraint& constraint, const Point& point) const;

  std::vector<Dimension> dimensions_;
  std::vector<Constraint> constraints_;
  std::vector<std::vector<Gate>> gates_;
  std::vector<std::size_t> order_;
  bool has_conditions_ = false;
};

}  // namespace trireme::tune
