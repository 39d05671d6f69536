#include "data/jinja/operators.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "data/jinja/interpreter.h"
#include "data/jinja/iteration.h"
#include "data/jinja/printing.h"
#include "data/jinja/text_search.h"

namespace trireme::data::jinja {
namespace {

constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();

std::string_view symbol_of(Operation operation) {
  constexpr std::string_view kSymbols[] = {
      "+", "-", "*", "/", "//", "%", "**", "==", "!=", "<", "<=", ">", ">=", "in", "not in"};
  return kSymbols[static_cast<std::size_t>(operation)];
}

[[noreturn]] void too_large() { fail("an integer is beyond 64 bits, which is all that is supported"); }

std::int64_t floor_divided(std::int64_t a, std::int64_t b) {
  if (b == 0) fail("division by zero");
  if (a == kLeast && b == -1) too_large();
  return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
}

std::int64_t modulo(std::int64_t a, std::int64_t b) {
  if (b == 0) fail("modulo by zero");
  if (b == -1) return 0;
  const std::int64_t rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

double modulo(double a, double b) {
  if (b == 0) fail("modulo by zero");
  double rest = std::fmod(a, b);
  if (rest == 0) return std::copysign(0.0, b);
  if ((rest < 0) != (b < 0)) rest += b;
  return rest;
}

double floor_divided(double a, double b) {
  if (b == 0) fail("division by zero");
  const double rest = std::fmod(a, b);
  double quotient = (a - rest) / b;
  if (rest != 0 && (rest < 0) != (b < 0)) quotient -= 1;
  if (quotient == 0) return std::copysign(0.0, a / b);
  const double whole = std::floor(quotient);
  return quotient - whole > 0.5 ? whole + 1 : whole;
}

std::int64_t power(std::int64_t base, std::int64_t exponent) {
  std::int64_t result = 1;
  for (;;) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) too_large();
    exponent >>= 1;
    if (exponent == 0) return result;
    if (__builtin_mul_overflow(base, base, &base)) too_large();
  }
}

Value power(double base, double exponent) {
  if (base == 0 && exponent < 0) fail("0 cannot be raised to a negative power");
  if (base < 0 && std::isfinite(base) && std::isfinite(exponent) && std::floor(exponent) != exponent)
    fail("a power of a negative number is no real number");
  const double result = std::pow(base, exponent);
  if (std::isinf(result) && std::isfinite(base) && std::isfinite(exponent)) fail("a power is too large");
  return Value(result);
}

Value quotient(const Value& left, const Value& right) {
  if (right.real() == 0) fail("division by zero");
  if (!left.is_integer() || !right.is_integer()) return Value(left.real() / right.real());
  // 64 bits of mantissa hold both exactly.
  return Value(
      static_cast<double>(static_cast<long double>(left.integer()) / static_cast<long double>(right.integer())));
}

Value operate_integers(Operation operation, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  switch (operation) {
    case Operation::kAdd:
      if (__builtin_add_overflow(a, b, &result)) too_large();
      return Value(result);
    case Operation::kSubtract:
      if (__builtin_sub_overflow(a, b, &result)) too_large();
      return Value(result);
    case Operation::kMultiply:
      if (__builtin_mul_overflow(a, b, &result)) too_large();
      return Value(result);
    case Operation::kFloorDivide:
      return Value(floor_divided(a, b));
    case Operation::kModulo:
      return Value(modulo(a, b));
    default:
      return b >= 0 ? Value(power(a, b)) : power(static_cast<double>(a), static_cast<double>(b));
  }
}

Value operate_reals(Operation operation, double a, double b) {
  switch (operation) {
    case Operation::kAdd:
      return Value(a + b);
    case Operation::kSubtract:
      return Value(a - b);
    case Operation::kMultiply:
      return Value(a * b);
    case Operation::kFloorDivide:
      return Value(floor_divided(a, b));
    case Operation::kModulo:
      return Value(modulo(a, b));
    default:
      return power(a, b);
  }
}

Value repeated(Interpreter& interpreter, const Value& what, std::int64_t times) {
  Heap& heap = interpreter.heap();
  if (what.is(Kind::kText)) {
    TextBuilder text(heap);
    text.repeat(what.text(), times);
    return text.value(what.object<Text>().safe);
  }
  times = std::max<std::int64_t>(times, 0);
  heap.require(static_cast<std::size_t>(times), what.items().size() * sizeof(Value));
  ListBuilder items(heap);
  if (!what.items().empty())
    for (; times > 0; --times)
      for (const Value& item : what.items()) items.add(item);
  return what.is(Kind::kTuple) ? items.tuple() : items.list();
}

Value joined_texts(Interpreter& interpreter, const Value& left, const Value& right) {
  const bool safe = left.object<Text>().safe || right.object<Text>().safe;
  TextBuilder text(interpreter.heap());
  text += (safe ? escaped(interpreter, left) : left).text();
  text += (safe ? escaped(interpreter, right) : right).text();
  return text.value(safe);
}

Value joined_sequences(Interpreter& interpreter, const Value& left, const Value& right) {
  ListBuilder items(interpreter.heap());
  for (const Value& item : left.items()) items.add(item);
  for (const Value& item : right.items()) items.add(item);
  return left.is(Kind::kTuple) ? items.tuple() : items.list();
}

}  // namespace

Value operate(Interpreter& interpreter, Operation operation, const Value& left, const Value& right) {
  if (operation == Operation::kModulo && left.is(Kind::kText)) return formatted(interpreter, left, right);
  if (left.is(Kind::kUndefined)) fail(left.text());
  if (right.is(Kind::kUndefined)) fail(right.text());
  if (left.is_number() && right.is_number()) {
    if (operation == Operation::kDivide) return quotient(left, right);
    if (left.is_integer() && right.is_integer()) return operate_integers(operation, left.integer(), right.integer());
    return operate_reals(operation, left.real(), right.real());
  }
  const auto repeats = [](const Value& what, const Value& times) {
    return (what.is(Kind::kText) || what.is_sequence()) && times.is_integer();
  };
  if (operation == Operation::kMultiply && repeats(left, right)) return repeated(interpreter, left, right.integer());
  if (operation == Operation::kMultiply && repeats(right, left)) return repeated(interpreter, right, left.integer());
  if (operation == Operation::kAdd && left.kind() == right.kind()) {
    if (left.is(Kind::kText)) return joined_texts(interpreter, left, right);
    if (left.is_sequence()) return joined_sequences(interpreter, left, right);
  }
  fail("'", symbol_of(operation), "' cannot be applied to values of types ", type_name(left), " and ",
       type_name(right));
}

Value negate(const Value& value) {
  if (value.is(Kind::kUndefined)) fail(value.text());
  if (value.is(Kind::kFloat)) return Value(-value.real());
  if (!value.is_integer()) fail("'-' cannot be applied to a value of type ", type_name(value));
  if (value.integer() == kLeast) too_large();
  return Value(-value.integer());
}

Value posit(const Value& value) {
  if (value.is(Kind::kUndefined)) fail(value.text());
  if (value.is(Kind::kFloat)) return value;
  if (!value.is_integer()) fail("'+' cannot be applied to a value of type ", type_name(value));
  return Value(value.integer());
}

bool compares(Interpreter& interpreter, Operation operation, const Value& left, const Value& right) {
  switch (operation) {
    case Operation::kEqual:
      return equal(left, right);
    case Operation::kNotEqual:
      return !equal(left, right);
    case Operation::kIn:
      return contains(interpreter, right, left);
    case Operation::kNotIn:
      return !contains(interpreter, right, left);
    default:
      break;
  }
  const auto sign = order(left, right, symbol_of(operation));
  if (!sign) return false;
  switch (operation) {
    case Operation::kLess:
      return *sign < 0;
    case Operation::kLessEqual:
      return *sign <= 0;
    case Operation::kGreater:
      return *sign > 0;
    default:
      return *sign >= 0;
  }
}

bool contains(Interpreter& interpreter, const Value& container, const Value& item) {
  const auto same = [&](const Value& other) {
    interpreter.heap().step();
    return (item.identity() != nullptr && item.identity() == other.identity()) || equal(item, other);
  };
  switch (container.kind()) {
    case Kind::kText:
      if (!item.is(Kind::kText)) fail("'in <string>' takes a text, got a value of type ", type_name(item));
      return find_text(interpreter.heap(), container.text(), item.text()) != std::string_view::npos;
    case Kind::kList:
    case Kind::kTuple:
      return std::any_of(container.items().begin(), container.items().end(), same);
    case Kind::kDict:
      return container.object<Dict>().find(item) != nullptr;
    case Kind::kView:
      if (container.object<View>().part == View::Part::kKeys)
        return container.object<View>().dict->find(item) != nullptr;
      break;
    default:
      break;
  }
  if (container.is(Kind::kView) && container.object<View>().part == View::Part::kItems) {
    if (!item.is(Kind::kTuple) || item.items().size() != 2) return false;
    const Value* found = container.object<View>().dict->find(item.items()[0]);
    return found != nullptr && equal(*found, item.items()[1]);
  }
  const Ref<Iterator> walk = iterate(interpreter.heap(), container);
  while (const auto other = walk->next(interpreter))
    if (same(*other)) return true;
  return false;
}

Value escaped(Interpreter& interpreter, const Value& value) {
  if (value.is(Kind::kText) && value.object<Text>().safe) return value;
  Heap& heap = interpreter.heap();
  const std::string plain = printed(heap, value);
  TextBuilder text(heap);
  std::size_t begin = 0;
  constexpr std::string_view kSpecial = "&<>\"'";
  constexpr std::string_view kEntities[] = {"&amp;", "&lt;", "&gt;", "&#34;", "&#39;"};
  for (std::size_t at = 0; (at = plain.find_first_of(kSpecial, at)) != std::string::npos; begin = ++at) {
    text += std::string_view(plain).substr(begin, at - begin);
    text += kEntities[kSpecial.find(plain[at])];
  }
  text += std::string_view(plain).substr(begin);
  return text.value(true);
}

}  // namespace trireme::data::jinja
