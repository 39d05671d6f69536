#include "core/config/field.h"

#include <cctype>
#include <charconv>
#include <cmath>

#include "core/base/error.h"
#include "core/base/text.h"

namespace trireme {
namespace {

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

bool is_choice(const Allowed& allowed) { return allowed.names[0] != nullptr; }

[[noreturn]] void refuse(const FieldRef& field, std::string_view value, const std::string& source) {
  const std::string allowed = allowed_text(field);
  throw Error(ErrorCode::kUsage, field.key, " must be ", is_choice(field.allowed) ? "" : type_text(field),
              is_choice(field.allowed) || allowed.empty() ? "" : " ", allowed, ", got '", value, "' (", source, ")");
}

template <class Number>
bool parse_number(std::string_view text, Number& value) {
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return result.ec == std::errc() && result.ptr == text.data() + text.size() && !text.empty();
}

// "1e6" is an integer to people; 1.5 is not.
bool parse_integer(std::string_view text, std::int64_t& value) {
  if (parse_number(text, value)) return true;
  double number = 0;
  if (!parse_number(text, number) || !(std::abs(number) < 9e15) || number != std::floor(number)) return false;
  value = static_cast<std::int64_t>(number);
  return true;
}

}  // namespace

std::string type_text(const FieldRef& field) {
  return std::visit(Overloaded{[](bool*) { return "true or false"; }, [](std::int64_t*) { return "an integer"; },
                               [](double*) { return "a number"; }, [](std::string*) { return "text"; },
                               [](std::vector<std::string>*) { return "a list of texts"; }},
                    field.value);
}

std::string allowed_text(const FieldRef& field) {
  const Allowed& allowed = field.allowed;
  if (is_choice(allowed)) {
    std::vector<std::string> names;
    for (const char* name : allowed.names)
      if (name) names.emplace_back(name);
    return "one of " + join(names, ", ");
  }
  const bool low = std::isfinite(allowed.min), high = std::isfinite(allowed.max);
  if (low && high) return "in [" + to_text(allowed.min) + ", " + to_text(allowed.max) + "]";
  if (low) return "of at least " + to_text(allowed.min);
  if (high) return "of at most " + to_text(allowed.max);
  return allowed.required ? "that is not empty" : "";
}

void set_field(const FieldRef& field, const std::vector<std::string>& values, const std::string& source) {
  if (!std::holds_alternative<std::vector<std::string>*>(field.value) && values.size() != 1)
    throw Error(ErrorCode::kUsage, field.key, " takes one value, got ", values.size(), " (", source, ")");
  const auto in_range = [&](double value) {
    // This form also refuses NaN.
    if (!(value >= field.allowed.min && value <= field.allowed.max)) refuse(field, values[0], source);
  };
  std::visit(Overloaded{[&](bool* target) {
                          std::string text = values[0];  // YAML knows true, True and TRUE
                          for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
                          if (text == "true" || text == "yes" || text == "on" || text == "1")
                            *target = true;
                          else if (text == "false" || text == "no" || text == "off" || text == "0")
                            *target = false;
                          else
                            refuse(field, values[0], source);
                        },
                        [&](std::int64_t* target) {
                          std::int64_t value = 0;
                          if (!parse_integer(values[0], value)) refuse(field, values[0], source);
                          in_range(static_cast<double>(value));
                          *target = value;
                        },
                        [&](double* target) {
                          double value = 0;
                          if (!parse_number(values[0], value) || !std::isfinite(value))
                            refuse(field, values[0], source);
                          in_range(value);
                          *target = value;
                        },
                        [&](std::string* target) {
                          if (is_choice(field.allowed)) {
                            bool known = false;
                            for (const char* name : field.allowed.names) known = known || (name && values[0] == name);
                            if (!known) refuse(field, values[0], source);
                          }
                          if (field.allowed.required && values[0].empty()) refuse(field, values[0], source);
                          *target = values[0];
                        },
                        [&](std::vector<std::string>* target) { *target = values; }},
             field.value);
}

std::string field_text(const FieldRef& field) {
  return std::visit(
      Overloaded{[](const bool* value) -> std::string { return *value ? "true" : "false"; },
                 [](const std::int64_t* value) { return std::to_string(*value); },
                 [](const double* value) { return to_text(*value); }, [](const std::string* value) { return *value; },
                 [](const std::vector<std::string>* value) { return join(*value, ","); }},
      field.value);
}

const FieldRef& find_field(const FieldList& fields, std::string_view key, const std::string& source) {
  std::vector<std::string> known;
  for (const FieldRef& field : fields) {
    if (field.key == key) return field;
    known.push_back(field.key);
  }
  throw Error(ErrorCode::kUsage, "unknown key ", key, " (", source, ")", did_you_mean(key, known));
}

}  // namespace trireme
