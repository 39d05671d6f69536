#include "tune/space/space.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/base/error.h"
#include "core/base/text.h"

namespace trireme::tune {
namespace {

// Until constraints are said to leave nothing: draws, and points in a row that are gone through one by one.
constexpr std::uint64_t kDraws = 100'000, kMostForbidden = 50'000'000;
constexpr std::uint64_t kMostBranches = 1 << 20;  // combinations of parents that are counted one by one
constexpr double kNoBound = std::numeric_limits<double>::infinity();
constexpr double kMostPoints = 4611686018427387904.0;  // 2^62

std::string place(const std::string& where) { return where.empty() ? "" : " (" + where + ")"; }

bool matches(const Condition& condition, const Value& value) {
  if (!condition.values.empty())
    return std::any_of(condition.values.begin(), condition.values.end(),
                       [&](const Value& wanted) { return same_value(wanted, value); });
  const auto number = value_number(value);
  return number && (!condition.min || *number >= *condition.min) && (!condition.max || *number <= *condition.max);
}

// Whether any value of a parent lies in a condition's range.
bool reaches(const Dimension& parent, const Condition& condition) {
  if (parent.kind == Dimension::Kind::kChoice)
    return std::any_of(parent.choices.begin(), parent.choices.end(),
                       [&](const Value& value) { return matches(condition, value); });
  double low = condition.min.value_or(-kNoBound), high = condition.max.value_or(kNoBound);
  if (is_normal(parent.scale)) return low <= high;
  low = std::max(low, parent.min);
  high = std::min(high, parent.max);
  if (parent.levels() == 0 || !(low <= high)) return low <= high;
  const std::int64_t near = std::llround((low - parent.min) / parent.step);
  for (std::int64_t level = std::max<std::int64_t>(near - 1, 0); level <= near + 1 && level < parent.levels(); ++level)
    if (matches(condition, parent.value_at(parent.position_of_level(level)))) return true;
  return false;
}

std::string values_text(const Dimension& dimension) {
  if (dimension.kind != Dimension::Kind::kChoice)
    return is_normal(dimension.scale) ? "any number"
                                      : "[" + to_text(dimension.min) + ", " + to_text(dimension.max) + "]" +
                                            (dimension.step > 0 ? " in steps of " + to_text(dimension.step) : "");
  std::vector<std::string> texts;
  for (const Value& value : dimension.choices) texts.push_back(value_text(value));
  return join(texts, ", ");
}

// A condition that no value of its parent meets is a mistake in the file, not a parameter that is never there.
// Values become what the parent has: 0.1 + 0.2 is no step of 0.1, but near enough to 0.3 to be meant.
void expect_possible(const Dimension& child, const Dimension& parent, Condition& condition) {
  const auto fail = [&](const auto&... what) {
    throw Error(ErrorCode::kUsage, "parameter ", child.name, what..., place(condition.where));
  };
  if (condition.values.empty()) {
    if (!condition.min && !condition.max) fail(": its condition on ", parent.name, " names no value");
    if (!reaches(parent, condition))
      fail(" would never be there: ", parent.name, " takes ", values_text(parent), ", nothing in [",
           to_text(condition.min.value_or(-kNoBound)), ", ", to_text(condition.max.value_or(kNoBound)), "]");
    return;
  }
  if (!parent.is_discrete())
    fail(": ", parent.name, " is a real number, which is never exactly ", value_text(condition.values[0]),
         "; its condition takes min and max");
  for (Value& value : condition.values) {
    try {
      value = parent.value_at(parent.position_of(value));
    } catch (const Error& error) {
      fail(": its condition cannot hold: ", error.what());
    }
  }
}

}  // namespace

Space::Space(std::vector<Dimension> dimensions, std::vector<Constraint> constraints)
    : dimensions_(std::move(dimensions)), constraints_(std::move(constraints)), gates_(dimensions_.size()) {
  if (dimensions_.empty()) throw Error(ErrorCode::kUsage, "there is no parameter to search over");
  std::vector<std::string> names;
  for (Dimension& dimension : dimensions_) {
    if (std::find(names.begin(), names.end(), dimension.name) != names.end())
      throw Error(ErrorCode::kUsage, "parameter ", dimension.name, " is given twice", place(dimension.where));
    names.push_back(dimension.name);
    dimension.validate();
    dimension.prepare();
  }
  add_gates(names);
  order_by_parents();
  for (const Constraint& constraint : constraints_)
    for (const std::string& name : constraint.names())
      if (!find(name))
        throw Error(ErrorCode::kUsage, "constraint '", constraint.text(), "' names ", name, ", which is no parameter",
                    did_you_mean(name, names));
}

void Space::add_gates(const std::vector<std::string>& names) {
  for (std::size_t i = 0; i < size(); ++i)
    for (Condition& condition : dimensions_[i].when) {
      const auto parent = find(condition.parent);
      if (!parent)
        throw Error(ErrorCode::kUsage, "parameter ", names[i], " depends on ", condition.parent,
                    ", which is no parameter", did_you_mean(condition.parent, names), place(condition.where));
      expect_possible(dimensions_[i], dimensions_[*parent], condition);
      gates_[i].push_back({*parent, condition});
      has_conditions_ = true;
    }
}

void Space::order_by_parents() {
  std::vector<bool> placed(size(), false);
  const auto waits_for = [&](std::size_t i) {
    return std::find_if(gates_[i].begin(), gates_[i].end(), [&](const Gate& gate) { return !placed[gate.parent]; });
  };
  while (order_.size() < size()) {
    const std::size_t before = order_.size();
    for (std::size_t i = 0; i < size(); ++i) {
      if (placed[i] || waits_for(i) != gates_[i].end()) continue;
      placed[i] = true;
      order_.push_back(i);
    }
    if (order_.size() > before) continue;
    // Whoever goes from one that waits to what it waits for walks into the circle at last.
    std::vector<std::size_t> walk;
    auto at = static_cast<std::size_t>(std::find(placed.begin(), placed.end(), false) - placed.begin());
    for (; std::find(walk.begin(), walk.end(), at) == walk.end(); at = waits_for(at)->parent) walk.push_back(at);
    std::vector<std::string> circle;
    for (auto i = std::find(walk.begin(), walk.end(), at); i != walk.end(); ++i) circle.push_back(dimensions_[*i].name);
    throw Error(ErrorCode::kUsage, "conditions go in a circle: ", join(circle, ", "),
                place(waits_for(at)->condition.where));
  }
}

bool Space::is_open(const Gate& gate, const Point& point) const {
  const double position = point[gate.parent];
  return !std::isnan(position) && matches(gate.condition, dimensions_[gate.parent].value_at(position));
}

bool Space::holds(const Constraint& constraint, const Point& point) const {
  return constraint.holds([&](const std::string& name) -> std::optional<Value> {
    const std::size_t i = *find(name);
    if (std::isnan(point[i])) return std::nullopt;
    return dimensions_[i].value_at(point[i]);
  });
}

std::optional<std::size_t> Space::find(const std::string& name) const {
  for (std::size_t i = 0; i < size(); ++i)
    if (dimensions_[i].name == name) return i;
  return std::nullopt;
}

bool Space::is_active(const Point& point, std::size_t i) const {
  return std::all_of(gates_[i].begin(), gates_[i].end(), [&](const Gate& gate) { return is_open(gate, point); });
}

Point Space::snap(const Point& point) const {
  Point snapped(size(), kInactive);
  for (const std::size_t i : order_)
    if (is_active(snapped, i)) snapped[i] = dimensions_[i].snap(std::isnan(point[i]) ? 0.5 : point[i]);
  return snapped;
}

Point Space::draw(const std::vector<double>& uniforms) const {
  Point point(size(), kInactive);
  for (const std::size_t i : order_)
    if (is_active(point, i)) point[i] = dimensions_[i].draw(uniforms[i]);
  return point;
}

Point Space::draw_feasible(const std::function<double(std::uint64_t, std::size_t)>& uniform) const {
  std::vector<double> uniforms(size());
  for (std::uint64_t attempt = 0; attempt < kDraws; ++attempt) {
    for (std::size_t i = 0; i < size(); ++i) uniforms[i] = uniform(attempt, i);
    Point point = draw(uniforms);
    if (is_feasible(point)) return point;
  }
  fail_for_constraints(kDraws, " draws obeys ");
}

void Space::fail_for_constraints(std::uint64_t seen, const char* what) const {
  std::vector<std::string> texts;
  for (const Constraint& constraint : constraints_) texts.push_back("'" + constraint.text() + "'");
  throw Error(ErrorCode::kUsage, "constraints leave nothing, or nearly so: none of ", seen, what, join(texts, " and "));
}

bool Space::is_feasible(const Point& point) const {
  return std::all_of(constraints_.begin(), constraints_.end(), [&](const Constraint& c) { return holds(c, point); });
}

Parameters Space::parameters(const Point& point) const {
  Parameters found;
  for (std::size_t i = 0; i < size(); ++i)
    if (!std::isnan(point[i])) found.push_back({dimensions_[i].name, dimensions_[i].value_at(point[i])});
  return found;
}

Point Space::point(const Parameters& parameters) const {
  std::vector<const Value*> values(size(), nullptr);
  for (const Parameter& parameter : parameters) {
    const auto i = find(parameter.name);
    if (!i) {
      std::vector<std::string> names;
      for (const Dimension& dimension : dimensions_) names.push_back(dimension.name);
      throw Error(ErrorCode::kBadInput, "unknown parameter ", parameter.name, did_you_mean(parameter.name, names));
    }
    if (values[*i]) throw Error(ErrorCode::kBadInput, "parameter ", parameter.name, " is given twice");
    values[*i] = &parameter.value;
  }
  Point point(size(), kInactive);
  for (const std::size_t i : order_) {
    const auto shut =
        std::find_if(gates_[i].begin(), gates_[i].end(), [&](const Gate& g) { return !is_open(g, point); });
    if (shut != gates_[i].end()) {
      if (!values[i]) continue;
      const std::string& parent = dimensions_[shut->parent].name;
      const bool there = !std::isnan(point[shut->parent]);
      throw Error(ErrorCode::kBadInput, "parameter ", dimensions_[i].name, " is not there where ", parent, " is ",
                  there ? value_text(dimensions_[shut->parent].value_at(point[shut->parent])) : "not");
    }
    if (!values[i] && dimensions_[i].levels() != 1)
      throw Error(ErrorCode::kBadInput, "parameter ", dimensions_[i].name, " is missing");
    point[i] = values[i] ? dimensions_[i].position_of(*values[i]) : dimensions_[i].snap(0.5);
  }
  for (const Constraint& constraint : constraints_)
    if (!holds(constraint, point))
      throw Error(ErrorCode::kBadInput, "the point breaks the constraint '", constraint.text(), "'");
  return point;
}

std::optional<std::uint64_t> Space::distinct() const {
  std::vector<bool> is_parent(size(), false);
  for (const auto& gates : gates_)
    for (const Gate& gate : gates) is_parent[gate.parent] = true;
  double branches = 1;
  for (std::size_t i = 0; i < size(); ++i)
    if (is_parent[i]) branches *= std::max<double>(1, static_cast<double>(dimensions_[i].levels()));
  if (branches > kMostBranches) return std::nullopt;

  // Values of parents are gone through one by one, those of the others counted. `total` is exact below 2^53, where
  // it is compared with numbers of trials; beyond that it only has to be large.
  double total = 0;
  Point point(size(), kInactive);
  const std::function<bool(std::size_t, double)> visit = [&](std::size_t at, double product) {
    if (at == size()) {
      total += product;
      return total < kMostPoints;
    }
    const std::size_t i = order_[at];
    point[i] = kInactive;
    if (!is_active(point, i)) return visit(at + 1, product);
    const std::int64_t levels = dimensions_[i].levels();
    if (levels == 0) return false;
    if (!is_parent[i]) return visit(at + 1, product * static_cast<double>(levels));
    for (std::int64_t level = 0; level < levels; ++level) {
      point[i] = dimensions_[i].position_of_level(level);
      if (!visit(at + 1, product)) return false;
    }
    return true;
  };
  if (!visit(0, 1)) return std::nullopt;
  return static_cast<std::uint64_t>(total);
}

void Space::for_each_point(const std::function<bool(const Point&)>& visit, std::uint64_t most) const {
  for (const Dimension& dimension : dimensions_)
    if (dimension.levels() == 0)
      throw Error(ErrorCode::kUsage, "parameter ", dimension.name,
                  " has no end of values: give it values, a step (q), or whole numbers", place(dimension.where));
  Point point(size(), kInactive);
  std::uint64_t seen = 0, forbidden = 0;
  const std::function<bool(std::size_t)> go = [&](std::size_t at) {
    if (at == size()) {
      const bool is_allowed = is_feasible(point);
      forbidden = is_allowed ? 0 : forbidden + 1;
      if (forbidden == kMostForbidden) fail_for_constraints(forbidden, " points in a row obeys ");
      return (!is_allowed || visit(point)) && ++seen < most;
    }
    const std::size_t i = order_[at];
    const Dimension& dimension = dimensions_[i];
    point[i] = kInactive;
    if (!is_active(point, i)) return go(at + 1);
    for (std::int64_t level = 0; level < dimension.levels(); ++level) {
      const bool is_choice = dimension.kind == Dimension::Kind::kChoice;
      point[i] = is_choice ? dimension.position_of(dimension.choices[static_cast<std::size_t>(level)])
                           : dimension.position_of_level(level);
      if (!go(at + 1)) return false;
    }
    return true;
  };
  go(0);
}

std::string Space::key(const Point& point) const {
  std::string key(size() * sizeof(double), '\0');
  for (std::size_t i = 0; i < size(); ++i) {
    const double position = std::isnan(point[i]) ? -1.0 : point[i] + 0.0;  // -0 is 0
    std::memcpy(key.data() + i * sizeof position, &position, sizeof position);
  }
  return key;
}

}  // namespace trireme::tune
