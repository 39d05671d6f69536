#include "tune/sweep/dimensions.h"

#include <algorithm>
#include <array>

#include "core/base/text.h"

namespace trireme::tune {
namespace {

constexpr std::size_t kMostValues = 1000;      // of a parameter; they are compared with one another
constexpr std::size_t kMostParameters = 1000;  // searched through by name

using Kind = Dimension::Kind;
using Scale = Dimension::Scale;

/// A range of numbers, as wandb names them.
struct Distribution {
  enum class Type { kReal, kWhole, kAsWritten };  // as written: whole when the file's numbers have no point
  std::string_view name;
  Scale scale;
  Type type;
  bool has_step;    // takes q
  bool needs_step;  // and it is 1 when it is not given
};
using Type = Distribution::Type;

constexpr std::array kDistributions{Distribution{"uniform", Scale::kUniform, Type::kReal, false, false},
                                    Distribution{"q_uniform", Scale::kUniform, Type::kAsWritten, true, true},
                                    Distribution{"int_uniform", Scale::kUniform, Type::kWhole, true, false},
                                    Distribution{"log_uniform_values", Scale::kLog, Type::kReal, false, false},
                                    Distribution{"q_log_uniform_values", Scale::kLog, Type::kAsWritten, true, true},
                                    Distribution{"normal", Scale::kNormal, Type::kReal, false, false},
                                    Distribution{"q_normal", Scale::kNormal, Type::kAsWritten, true, true},
                                    Distribution{"log_normal", Scale::kLogNormal, Type::kReal, false, false},
                                    Distribution{"q_log_normal", Scale::kLogNormal, Type::kAsWritten, true, true}};

const std::vector<std::string>& parameter_keys() {
  static const std::vector<std::string> kKeys{"value", "values", "probabilities", "min", "max",  "mu",
                                              "sigma", "q",      "step",          "log", "when", "distribution"};
  return kKeys;
}

std::vector<std::string> distribution_names() {
  std::vector<std::string> names{"constant", "categorical"};
  for (const Distribution& distribution : kDistributions) names.emplace_back(distribution.name);
  return names;
}

// The form that a parameter takes: which keys go together.
std::string distribution_name(const YamlMap& map) {
  if (const auto given = map.find("distribution")) {
    const std::string name = given->is_scalar() ? given->text() : "";
    if (name == "categorical_w_probabilities") return "categorical";
    if (name == "log_uniform" || name == "q_log_uniform")
      given->fail(" ", name, " has exponents for bounds in wandb; write ", name,
                  "_values, whose min and max are the values themselves");
    return given->one_of(distribution_names());
  }
  if (map.find("values")) return "categorical";
  if (map.find("value")) return "constant";
  if (map.find("min") || map.find("max")) return "range";
  if (map.find("mu") || map.find("sigma")) return "normal";
  map.node.fail(" says no values: give value, values, or min and max");
}

void expect_fitting_keys(const YamlMap& map, std::vector<std::string> fitting, const std::string& form) {
  map.expect_only(parameter_keys());
  fitting.insert(fitting.end(), {"distribution", "when"});
  for (const auto& [key, value] : map.entries)
    if (std::find(fitting.begin(), fitting.end(), key) == fitting.end())
      value.fail(" does not go with ", form, ", which takes ", join(fitting, ", "));
}

YamlNode needed(const YamlMap& map, std::string_view key, const std::string& form) {
  const auto found = map.find(key);
  if (!found) map.node.fail(" has no ", key, ", which ", form, " needs");
  return *found;
}

void leave_out_impossible_values(const YamlNode& probabilities, Dimension& dimension) {
  std::vector<double>& weights = dimension.weights;
  if (weights.size() != dimension.choices.size()) return;  // said later
  for (std::size_t i = weights.size(); i-- > 0;) {
    if (weights[i] != 0) continue;
    weights.erase(weights.begin() + static_cast<std::ptrdiff_t>(i));
    dimension.choices.erase(dimension.choices.begin() + static_cast<std::ptrdiff_t>(i));
  }
  if (weights.empty()) probabilities.fail(" are all 0");
}

void read_choices(const YamlMap& map, const std::string& form, Dimension& dimension) {
  dimension.kind = Kind::kChoice;
  if (form == "constant") {
    expect_fitting_keys(map, {"value"}, "a constant");
    dimension.choices = {needed(map, "value", "a constant").value()};
    return;
  }
  expect_fitting_keys(map, {"values", "probabilities"}, "values");
  const YamlNode values = needed(map, "values", "a categorical distribution");
  const std::vector<YamlNode> items = values.items();
  if (items.empty()) values.fail(" must hold a value or more, got an empty list");
  if (items.size() > kMostValues)
    values.fail(" must hold ", kMostValues, " values at most, got ", items.size(), "; a range has min and max");
  for (const YamlNode& item : items) dimension.choices.push_back(item.value());
  if (const auto probabilities = map.find("probabilities")) {
    for (const YamlNode& item : probabilities->items()) dimension.weights.push_back(item.number());
    if (dimension.weights.empty()) probabilities->fail(" must hold one number a value, got an empty list");
    leave_out_impossible_values(*probabilities, dimension);
  }
}

Distribution range_distribution(const YamlMap& map, const std::string& form) {
  if (form == "range") {
    const auto log = map.find("log");
    return {"a range", log && log->flag() ? Scale::kLog : Scale::kUniform, Type::kAsWritten, true, false};
  }
  return *std::find_if(kDistributions.begin(), kDistributions.end(), [&](const auto& d) { return d.name == form; });
}

void expect_range_keys(const YamlMap& map, const Distribution& distribution) {
  std::vector<std::string> keys{"min", "max"};
  if (is_normal(distribution.scale)) keys = {"mu", "sigma"};
  if (distribution.has_step) keys.insert(keys.end(), {"q", "step"});
  if (!map.find("distribution") && !is_normal(distribution.scale)) keys.emplace_back("log");
  expect_fitting_keys(map, keys, std::string(distribution.name));
}

void read_range(const YamlMap& map, const std::string& form, Dimension& dimension) {
  const Distribution distribution = range_distribution(map, form);
  expect_range_keys(map, distribution);
  const std::string name(distribution.name);
  bool is_whole = true;
  const auto read = [&](const YamlNode& node, double& number) {
    number = node.number();
    is_whole = is_whole && node.is_whole();
  };
  dimension.scale = distribution.scale;
  if (is_normal(distribution.scale)) {
    dimension.mean = 0, dimension.deviation = 1;  // wandb's
    if (const auto mu = map.find("mu")) dimension.mean = mu->number();
    if (const auto sigma = map.find("sigma")) dimension.deviation = sigma->number();
  } else {
    read(needed(map, "min", name), dimension.min);
    read(needed(map, "max", name), dimension.max);
  }
  const auto q = map.find("q"), step = map.find("step");
  if (q && step) step->fail(" and q say the same: give one of them");
  if (distribution.needs_step) dimension.step = 1;
  if (q || step) {
    const YamlNode& given = q ? *q : *step;
    read(given, dimension.step);
    if (!(dimension.step > 0)) given.fail(" must be above 0, got ", given.seen());
  }
  const bool is_integer = distribution.type == Type::kWhole || (distribution.type == Type::kAsWritten && is_whole);
  dimension.kind = is_integer ? Kind::kInteger : Kind::kReal;
}

Condition read_condition(const std::string& parent, const YamlNode& node) {
  Condition condition{.parent = parent, .where = node.where()};
  if (node.is_map()) {
    const YamlMap map = node.map();
    map.expect_only({"min", "max"});
    if (map.entries.empty()) node.fail(" must say min, max or both, got an empty mapping");
    if (const auto min = map.find("min")) condition.min = min->number();
    if (const auto max = map.find("max")) condition.max = max->number();
    if (condition.min && condition.max && *condition.min > *condition.max)
      node.fail(" has min ", to_text(*condition.min), " above max ", to_text(*condition.max));
  } else if (node.is_list()) {
    for (const YamlNode& item : node.items()) condition.values.push_back(item.value());
    if (condition.values.empty()) node.fail(" must hold a value or more, got an empty list");
  } else {
    condition.values = {node.value()};
  }
  return condition;
}

// Letters, digits and _, joined by single dots and dashes: what a constraint and a flag can name.
bool is_name(std::string_view name) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto is_joint = [](char c) { return c == '.' || c == '-'; };
  bool was_joint = true;
  for (const char c : name) {
    if (!is_letter(c) && !(c >= '0' && c <= '9') && (!is_joint(c) || was_joint)) return false;
    was_joint = is_joint(c);
  }
  return !was_joint && is_letter(name[0]);
}

Dimension read_dimension(const std::string& name, const YamlMap& map) {
  if (!is_name(name))
    map.node.fail(
        ": a name begins with a letter and is made of letters, digits and _, joined by single dots or dashes");
  Dimension dimension;
  dimension.name = name;
  dimension.where = map.node.where();
  map.expect_only(parameter_keys());
  const std::string form = distribution_name(map);
  if (form == "constant" || form == "categorical")
    read_choices(map, form, dimension);
  else
    read_range(map, form, dimension);
  if (const auto when = map.find("when"))
    for (const auto& [parent, condition] : when->map().entries)
      dimension.when.push_back(read_condition(parent, condition));
  return dimension;
}

// Not a group of parameters: one of a parameter's own keys has a value that no parameter could have.
bool is_parameter(const YamlMap& map) {
  const std::vector<std::string>& keys = parameter_keys();
  return std::any_of(map.entries.begin(), map.entries.end(), [&](const auto& entry) {
    return !entry.second.is_map() && std::find(keys.begin(), keys.end(), entry.first) != keys.end();
  });
}

void collect(const YamlMap& group, const std::string& prefix, int depth, std::vector<Dimension>& out) {
  if (depth > kMostGroupDepth) group.node.fail(": groups are nested too deep, more than ", kMostGroupDepth, " levels");
  if (group.entries.empty()) group.node.fail(" must hold a parameter or more, got an empty mapping");
  for (const auto& [key, value] : group.entries) {
    const std::string name = prefix + key;
    const YamlNode node = value.named("parameter " + name);
    if (node.is_scalar())
      node.fail(" must be a mapping; a constant is {value: ", node.seen(), "}", did_you_mean(key, parameter_keys()));
    if (node.is_list()) node.fail(" must be a mapping; a choice is {values: [...]}");
    const YamlMap map = node.map();
    const auto nested = map.find("parameters");  // wandb's way to nest
    if (is_parameter(map)) {
      out.push_back(read_dimension(name, map));
    } else if (const auto when = map.find("when")) {
      when->fail(" has no value, values, or min and max beside it; a group takes no condition, each parameter its own");
    } else if (nested && map.entries.size() == 1) {
      collect(nested->named(node.path()).map(), name + ".", depth + 1, out);
    } else {
      collect(map, name + ".", depth + 1, out);
    }
    if (out.size() > kMostParameters) node.fail(" is one too many: ", kMostParameters, " parameters are allowed");
  }
}

}  // namespace

std::vector<Dimension> read_dimensions(const YamlNode& parameters) {
  std::vector<Dimension> dimensions;
  collect(parameters.map(), "", 0, dimensions);
  return dimensions;
}

}  // namespace trireme::tune
