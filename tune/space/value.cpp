#include "tune/space/value.h"

#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/base/error.h"

namespace trireme::tune {
namespace {

std::string number_text(double value) {
  std::array<char, 32> buffer;
  // Plain digits where people would write them so; to_chars alone gives 1e-03 for 0.001, which is shorter by nothing.
  const double size = std::abs(value);
  const bool plain = size == 0 || (size >= 1e-4 && size < 1e15);
  const auto result = plain
                          ? std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed)
                          : std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  std::string text(buffer.data(), result.ptr);
  if (plain && text.find('.') == std::string::npos) text += ".0";  // it stays a number that is not an integer
  return text;
}

}  // namespace

std::string value_text(const Value& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return std::to_string(*integer);
  if (const auto* number = std::get_if<double>(&value)) return number_text(*number);
  return std::get<std::string>(value);
}

std::optional<double> value_number(const Value& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return static_cast<double>(*integer);
  if (const auto* number = std::get_if<double>(&value)) return *number;
  return std::nullopt;
}

bool same_value(const Value& a, const Value& b) {
  if (a.index() == b.index()) return a == b;  // integers beyond 2^53 too
  const auto x = value_number(a), y = value_number(b);
  return x && y && *x == *y;
}

nlohmann::json value_json(const Value& value) {
  return std::visit([](const auto& held) { return nlohmann::json(held); }, value);
}

Value value_from_json(const nlohmann::json& json, std::string_view what) {
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_unsigned() && json.get<std::uint64_t>() > std::uint64_t{INT64_MAX}) return json.get<double>();
  if (json.is_number_integer()) return json.get<std::int64_t>();
  if (json.is_number_float()) return json.get<double>();
  if (json.is_string()) return json.get<std::string>();
  throw Error(ErrorCode::kBadInput, what, " must be a number, a text, true or false, got ",
              json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

nlohmann::json parameters_json(const Parameters& parameters) {
  nlohmann::json json = nlohmann::json::object();
  for (const Parameter& parameter : parameters) json[parameter.name] = value_json(parameter.value);
  return json;
}

}  // namespace trireme::tune
