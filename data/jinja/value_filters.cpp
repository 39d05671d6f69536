// Filters of numbers and of any value.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>

#include "data/jinja/access.h"
#include "data/jinja/characters.h"
#include "data/jinja/interpreter.h"
#include "data/jinja/iteration.h"
#include "data/jinja/operators.h"
#include "data/jinja/printing.h"
#include "data/jinja/tables.h"
#include "data/tokenizer/utf8.h"

namespace trireme::data::jinja {
namespace {

void require_defined(const Value& value) {
  if (value.is(Kind::kUndefined)) fail(value.text());
}

[[noreturn]] void too_large() { fail("an integer is beyond 64 bits, which is all that is supported"); }

Value abs(Interpreter&, const Value& subject, Bound&) {
  require_defined(subject);
  if (subject.is(Kind::kFloat)) return Value(std::fabs(subject.real()));
  if (!subject.is_integer()) fail("abs() takes a number, got a value of type ", type_name(subject));
  return subject.integer() < 0 ? negate(subject) : Value(subject.integer());
}

Value attr(Interpreter& in, const Value& subject, Bound& arguments) {
  const auto name = arguments.text(0);
  if (!name) fail("attr() takes a name");
  if (auto found = own_attribute(in, subject, *name)) return *found;
  return in.undefined("a value of type " + std::string(type_name(subject)) + " has no attribute " + quoted(*name));
}

Value default_filter(Interpreter& in, const Value& subject, Bound& arguments) {
  const bool also_false = arguments.truth(1, false);
  if (!subject.is(Kind::kUndefined) && !(also_false && !is_true(subject))) return subject;
  return arguments.has(0) ? arguments[0] : in.text("");
}

/// Digits with single underscores between them; the value of each below `base`.
bool are_digits(std::string_view text, int base) {
  bool may_be_underscore = false;
  for (const char c : text) {
    if (c == '_' && may_be_underscore) {
      may_be_underscore = false;
      continue;
    }
    const int digit = c >= '0' && c <= '9'                     ? c - '0'
                      : (c | 0x20) >= 'a' && (c | 0x20) <= 'z' ? (c | 0x20) - 'a' + 10
                                                               : 99;
    if (digit >= base) return false;
    may_be_underscore = true;
  }
  return may_be_underscore;
}

/// Digits of all scripts as those of ASCII.
std::string with_plain_digits(std::string_view text) {
  std::string plain;
  for_each_character(text, [&](Utf8Step step, std::string_view bytes) {
    const int value = bytes.size() > 1 ? decimal_value(step.code) : -1;
    if (value >= 0)
      plain += static_cast<char>('0' + value);
    else
      plain += bytes;
  });
  return plain;
}

std::string without_underscores(std::string_view text) {
  std::string plain(text);
  std::erase(plain, '_');
  return plain;
}

/// int(text, base); nothing for what is no integer.
std::optional<std::int64_t> read_integer(std::string_view text, std::int64_t base) {
  if (base != 0 && (base < 2 || base > 36)) return std::nullopt;
  text = strip_left(strip_right(text));
  const bool is_negative = text.starts_with('-');
  if (is_negative || text.starts_with('+')) text.remove_prefix(1);
  if (text.size() > 1 && text[0] == '0') {
    const char mark = static_cast<char>(text[1] | 0x20);
    const int marked = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
    if (marked != 0 && (base == 0 || base == marked)) {
      base = marked;
      text.remove_prefix(2);
      if (text.starts_with('_')) text.remove_prefix(1);
    }
  }
  const bool was_open = base == 0;
  if (was_open) base = 10;
  if (!are_digits(text, static_cast<int>(base))) return std::nullopt;
  std::string digits = without_underscores(text);
  if (was_open && digits.size() > 1 && digits[0] == '0' && digits.find_first_not_of('0') != std::string::npos)
    return std::nullopt;
  if (is_negative) digits.insert(0, "-");
  std::int64_t value = 0;
  if (std::from_chars(digits.data(), digits.data() + digits.size(), value, static_cast<int>(base)).ec != std::errc{})
    too_large();
  return value;
}

/// float(text); nothing for what is no number.
std::optional<double> read_real(std::string_view text) {
  text = strip_left(strip_right(text));
  std::string_view rest = text;
  const bool is_negative = rest.starts_with('-');
  if (is_negative || rest.starts_with('+')) rest.remove_prefix(1);
  std::string word(rest.substr(0, 9));
  std::transform(word.begin(), word.end(), word.begin(),
                 [](char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c); });
  const double sign = is_negative ? -1 : 1;
  if (word == "inf" || (word == "infinity" && rest.size() == 8)) return sign * std::numeric_limits<double>::infinity();
  if (word == "nan") return std::numeric_limits<double>::quiet_NaN();
  const std::size_t e = std::min(rest.find_first_of("eE"), rest.size());
  const std::string_view mantissa = rest.substr(0, e);
  const std::size_t dot = std::min(mantissa.find('.'), mantissa.size());
  const std::string_view whole = mantissa.substr(0, dot), part = mantissa.substr(std::min(dot + 1, mantissa.size()));
  if (whole.empty() && part.empty()) return std::nullopt;
  if ((!whole.empty() && !are_digits(whole, 10)) || (!part.empty() && !are_digits(part, 10))) return std::nullopt;
  if (e < rest.size()) {
    std::string_view exponent = rest.substr(e + 1);
    if (exponent.starts_with('-') || exponent.starts_with('+')) exponent.remove_prefix(1);
    if (!are_digits(exponent, 10)) return std::nullopt;
  }
  return std::strtod(without_underscores(text).c_str(), nullptr);
}

std::int64_t truncated(double value) {
  if (!(value >= -0x1p63 && value < 0x1p63)) too_large();
  return static_cast<std::int64_t>(value);
}

Value int_filter(Interpreter& in, const Value& subject, Bound& arguments) {
  require_defined(subject);
  const Value otherwise = arguments.has(0) ? arguments[0] : Value(std::int64_t{0});
  const std::int64_t base = arguments.integer(1, 10);
  if (subject.is_integer()) return Value(subject.integer());
  if (subject.is(Kind::kFloat)) {
    if (std::isnan(subject.real())) return otherwise;
    if (std::isinf(subject.real())) fail("int() cannot convert an infinite number");
    return Value(truncated(subject.real()));
  }
  if (!subject.is(Kind::kText)) return otherwise;
  in.heap().require(subject.text().size(), 3);
  in.heap().step_bytes(subject.text().size() * 4);
  const std::string text = with_plain_digits(subject.text());
  if (const auto value = read_integer(text, base)) return Value(*value);
  const auto real = read_real(text);
  return real && std::isfinite(*real) ? Value(truncated(*real)) : otherwise;
}

Value float_filter(Interpreter& in, const Value& subject, Bound& arguments) {
  require_defined(subject);
  const Value otherwise = arguments.has(0) ? arguments[0] : Value(0.0);
  if (subject.is_number()) return Value(subject.real());
  if (!subject.is(Kind::kText)) return otherwise;
  in.heap().require(subject.text().size(), 3);
  in.heap().step_bytes(subject.text().size() * 4);
  const auto value = read_real(with_plain_digits(subject.text()));
  return value ? Value(*value) : otherwise;
}

/// round(value, digits) of Python: half to even, of the number that the double exactly is.
double rounded(double value, std::int64_t digits) {
  if (!std::isfinite(value) || digits > 323) return value;
  if (digits < -308) return std::copysign(0.0, value);
  if (digits >= 0) {
    char text[800];
    std::snprintf(text, sizeof text, "%.*f", static_cast<int>(digits), value);
    return std::strtod(text, nullptr);
  }
  const double unit = std::pow(10.0, static_cast<double>(-digits));
  return std::nearbyint(value / unit) * unit;
}

std::int64_t rounded(std::int64_t value, std::int64_t digits) {
  if (digits >= 0) return value;
  if (digits < -18) return 0;
  std::int64_t unit = 1;
  for (; digits < 0; ++digits) unit *= 10;
  const std::int64_t rest = value % unit, size = rest < 0 ? -rest : rest, floor = value - rest;
  const bool is_odd = (floor / unit) % 2 != 0;
  if (size > unit - size || (size == unit - size && is_odd)) {
    std::int64_t away = 0;
    if (__builtin_add_overflow(floor, value < 0 ? -unit : unit, &away)) too_large();
    return away;
  }
  return floor;
}

Value round(Interpreter&, const Value& subject, Bound& arguments) {
  const auto method = arguments.has(1) ? arguments.text(1) : "common";
  if (!method || (*method != "common" && *method != "ceil" && *method != "floor"))
    fail("round() takes the method 'common', 'ceil' or 'floor'");
  require_defined(subject);
  if (!subject.is_number()) fail("round() takes a number, got a value of type ", type_name(subject));
  const std::int64_t digits = arguments.integer(0, 0);
  if (*method == "common")
    return subject.is_integer() ? Value(rounded(subject.integer(), digits)) : Value(rounded(subject.real(), digits));
  if (digits > 300 || digits < -300) fail("round() takes from -300 to 300 digits, got ", digits);
  const double unit = std::pow(10.0, static_cast<double>(digits));
  const double scaled = subject.real() * unit;
  if (!std::isfinite(scaled)) fail("round() takes a number that is finite");
  return Value((*method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / unit +
               0.0);  // Python's are integers, and know no -0
}

Value tojson(Interpreter& in, const Value& subject, Bound& arguments) {
  JsonLayout layout;
  layout.ensure_ascii = arguments.truth(0, false);
  if (arguments.has(1) && !arguments[1].is(Kind::kNone)) {
    if (arguments[1].is(Kind::kText)) {
      layout.indent = arguments[1].text();
    } else {
      TextBuilder blanks(in.heap());
      blanks.repeat(" ", arguments.integer(1, 0));
      layout.indent = blanks.take();
    }
    layout.item_separator = ",";
  }
  if (arguments.has(2) && !arguments[2].is(Kind::kNone)) {
    const std::vector<Value> separators = listed(in, arguments[2]);
    if (separators.size() != 2 || !separators[0].is(Kind::kText) || !separators[1].is(Kind::kText))
      fail("tojson() takes two separators, which are texts");
    layout.item_separator = separators[0].text();
    layout.key_separator = separators[1].text();
  }
  layout.sort_keys = arguments.truth(3, false);
  return in.text(to_json(in.heap(), subject, layout));
}

constexpr Builtin kValueFilters[] = {
    {"abs", "/", 0, abs},
    {"attr", "name", 1, attr},
    {"d", "default_value boolean", 0, default_filter},
    {"default", "default_value boolean", 0, default_filter},
    {"float", "default", 0, float_filter},
    {"int", "default base", 0, int_filter},
    {"round", "precision method", 0, round},
    {"tojson", "ensure_ascii indent separators sort_keys", 0, tojson},
};

}  // namespace

std::span<const Builtin> value_filters() { return kValueFilters; }

}  // namespace trireme::data::jinja
