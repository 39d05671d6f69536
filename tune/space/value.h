#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace trireme::tune {

/// What a parameter is set to. A sweep file's `1` is an integer, `1.0` a number, `true` a truth value and all else
/// text; a program that is given the value sees the same text again.
using Value = std::variant<bool, std::int64_t, double, std::string>;

/// As a flag or a table shows it: the shortest text that reads back as the same value, `0.001` and not `1e-03`.
std::string value_text(const Value& value);
/// The number that an ordered parameter or a constraint computes with; nothing for text and truth values.
std::optional<double> value_number(const Value& value);
/// 1 and 1.0 are equal, "1" is another value.
bool same_value(const Value& a, const Value& b);

nlohmann::json value_json(const Value& value);
/// @throws Error kBadInput for null, lists and objects. @param what  for the message: "parameter width"
Value value_from_json(const nlohmann::json& json, std::string_view what);

/// One parameter of a trial.
struct Parameter {
  std::string name;
  Value value;
};
/// A trial's active parameters, in the order of the space.
using Parameters = std::vector<Parameter>;

/// {"optimizer.learning-rate": 0.001, "model.width": 128}
nlohmann::json parameters_json(const Parameters& parameters);

}  // namespace trireme::tune
