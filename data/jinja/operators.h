#pragma once
#include "data/jinja/syntax.h"
#include "data/jinja/value.h"

namespace trireme::data::jinja {

/// + - * / // % ** of numbers, texts and lists. @throws Failure  of other types, by zero, beyond 64 bits
Value operate(Interpreter& interpreter, Operation operation, const Value& left, const Value& right);
Value negate(const Value& value);
Value posit(const Value& value);

/// == != < <= > >= in, not in
bool compares(Interpreter& interpreter, Operation operation, const Value& left, const Value& right);
/// item in container
bool contains(Interpreter& interpreter, const Value& container, const Value& item);

/// The text of HTML: & < > " ' as entities. A text that is safe stays.
Value escaped(Interpreter& interpreter, const Value& value);

/// format % values, as Python's str does it.
Value formatted(Interpreter& interpreter, const Value& format, const Value& values);

}  // namespace trireme::data::jinja
