// What "is" asks of a value.
#include "data/jinja/characters.h"
#include "data/jinja/interpreter.h"
#include "data/jinja/iteration.h"
#include "data/jinja/operators.h"
#include "data/jinja/printing.h"
#include "data/jinja/tables.h"

namespace trireme::data::jinja {
namespace {

bool is_callable(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
    case Kind::kFunction:
    case Kind::kMacro:
    case Kind::kLoop:
    case Kind::kJoiner:
      return true;
    default:
      return false;
  }
}

bool is_sequence(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
    case Kind::kText:
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kDict:
    case Kind::kRange:
      return true;
    default:
      return false;
  }
}

bool is_safe(const Value& value) { return value.is(Kind::kText) && value.object<Text>().safe; }

template <bool (*holds)(const Value&)>
Value plain(Interpreter&, const Value& subject, Bound&) {
  return Value(holds(subject));
}

template <Kind kind>
bool is_kind(const Value& value) {
  return value.is(kind);
}
bool is_defined(const Value& value) { return !value.is(Kind::kUndefined); }
bool is_number(const Value& value) { return value.is_number(); }
bool is_true_itself(const Value& value) { return value.is(Kind::kBool) && value.boolean(); }
bool is_false_itself(const Value& value) { return value.is(Kind::kBool) && !value.boolean(); }

template <int rest>
Value has_rest_of_two(Interpreter& in, const Value& subject, Bound&) {
  const Value left = operate(in, Operation::kModulo, subject, Value(std::int64_t{2}));
  return Value(equal(left, Value(std::int64_t{rest})));
}

Value divisibleby(Interpreter& in, const Value& subject, Bound& arguments) {
  return Value(equal(operate(in, Operation::kModulo, subject, arguments[0]), Value(std::int64_t{0})));
}

template <bool (*holds)(std::string_view)>
Value text_is(Interpreter& in, const Value& subject, Bound&) {
  const std::string text = printed(in.heap(), subject);
  in.heap().step_bytes(text.size() * 4);
  return Value(holds(text));
}

Value sameas(Interpreter&, const Value& subject, Bound& arguments) {
  const Value& other = arguments[0];
  if (subject.kind() != other.kind()) return Value(false);
  if (subject.identity() != nullptr && subject.identity() == other.identity()) return Value(true);
  // Of texts Python keeps one object each where they are short; of numbers too.
  const bool by_value = subject.is_number() || subject.is(Kind::kNone) || subject.is(Kind::kText);
  return Value(by_value && equal(subject, other));
}

template <Operation operation>
Value compared(Interpreter& in, const Value& subject, Bound& arguments) {
  return Value(compares(in, operation, subject, arguments[0]));
}

template <const Builtin* (*look_up)(std::string_view)>
Value exists(Interpreter&, const Value& subject, Bound&) {
  hash(subject);  // is looked up in a dict
  return Value(subject.is(Kind::kText) && look_up(subject.text()) != nullptr);
}

constexpr Builtin kTests[] = {
    {"!=", "/ other", 1, compared<Operation::kNotEqual>},
    {"<", "/ other", 1, compared<Operation::kLess>},
    {"<=", "/ other", 1, compared<Operation::kLessEqual>},
    {"==", "/ other", 1, compared<Operation::kEqual>},
    {">", "/ other", 1, compared<Operation::kGreater>},
    {">=", "/ other", 1, compared<Operation::kGreaterEqual>},
    {"boolean", "", 0, plain<is_kind<Kind::kBool>>},
    {"callable", "/", 0, plain<is_callable>},
    {"defined", "", 0, plain<is_defined>},
    {"divisibleby", "num", 1, divisibleby},
    {"eq", "/ other", 1, compared<Operation::kEqual>},
    {"equalto", "/ other", 1, compared<Operation::kEqual>},
    {"escaped", "", 0, plain<is_safe>},
    {"even", "", 0, has_rest_of_two<0>},
    {"false", "", 0, plain<is_false_itself>},
    {"filter", "", 0, exists<find_filter>},
    {"float", "", 0, plain<is_kind<Kind::kFloat>>},
    {"ge", "/ other", 1, compared<Operation::kGreaterEqual>},
    {"greaterthan", "/ other", 1, compared<Operation::kGreater>},
    {"gt", "/ other", 1, compared<Operation::kGreater>},
    {"in", "seq", 1, compared<Operation::kIn>},
    {"integer", "", 0, plain<is_kind<Kind::kInt>>},
    {"iterable", "", 0, plain<is_iterable>},
    {"le", "/ other", 1, compared<Operation::kLessEqual>},
    {"lessthan", "/ other", 1, compared<Operation::kLess>},
    {"lower", "", 0, text_is<is_lower>},
    {"lt", "/ other", 1, compared<Operation::kLess>},
    {"mapping", "", 0, plain<is_kind<Kind::kDict>>},
    {"ne", "/ other", 1, compared<Operation::kNotEqual>},
    {"none", "", 0, plain<is_kind<Kind::kNone>>},
    {"number", "", 0, plain<is_number>},
    {"odd", "", 0, has_rest_of_two<1>},
    {"sameas", "other", 1, sameas},
    {"sequence", "", 0, plain<is_sequence>},
    {"string", "", 0, plain<is_kind<Kind::kText>>},
    {"test", "", 0, exists<find_test>},
    {"true", "", 0, plain<is_true_itself>},
    {"undefined", "", 0, plain<is_kind<Kind::kUndefined>>},
    {"upper", "", 0, text_is<is_upper>},
};

}  // namespace

std::span<const Builtin> test_table() { return kTests; }

}  // namespace trireme::data::jinja
