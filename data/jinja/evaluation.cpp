// What expressions are worth.
#include "data/jinja/access.h"
#include "data/jinja/builtin.h"
#include "data/jinja/characters.h"
#include "data/jinja/interpreter.h"
#include "data/jinja/iteration.h"
#include "data/jinja/operators.h"
#include "data/jinja/printing.h"

namespace trireme::data::jinja {

Value Interpreter::lookup(std::string_view name) {
  for (const Scope* scope = scope_.get(); scope != nullptr; scope = scope->outer.get())
    if (const Value* found = scope->find(name)) return *found;
  if (const Value* found = variables_->find(name)) return *found;
  if (const Builtin* global = find_global(name))
    return Value(Kind::kFunction, heap_.make<Function>(0, *global, Value()));
  return undefined(quoted(name.substr(0, 100)) + " is undefined");
}

Value Interpreter::evaluate(const Expr& expr) {
  heap_.step();
  const Heap::Nesting deeper(heap_);
  line_ = expr.line;
  switch (expr.kind) {
    case ExprKind::kConstant:
      return constant(expr);
    case ExprKind::kName:
      return lookup(expr.name);
    case ExprKind::kAttribute:
      return attribute(*this, evaluate(*expr.parts[0]), expr.name);
    case ExprKind::kItem: {
      const Value of = evaluate(*expr.parts[0]);
      return item(*this, of, evaluate(*expr.parts[1]));
    }
    case ExprKind::kSlice: {
      const auto bound = [&](std::size_t i) { return expr.parts[i] == nullptr ? Value() : evaluate(*expr.parts[i]); };
      const Value of = evaluate(*expr.parts[0]), start = bound(1), stop = bound(2);
      return slice(*this, of, start, stop, bound(3));
    }
    case ExprKind::kList:
    case ExprKind::kTuple:
    case ExprKind::kDict:
      return literal(expr);
    case ExprKind::kCall:
      return call(expr, nullptr);
    case ExprKind::kFilter:
      return filter(expr, nullptr);
    case ExprKind::kTest: {
      const Value subject = evaluate(*expr.parts[0]);
      return call_builtin(*this, *expr.builtin, subject, arguments(*expr.call));
    }
    case ExprKind::kNot:
      return Value(!is_true(evaluate(*expr.parts[0])));
    case ExprKind::kNegative:
      return negate(evaluate(*expr.parts[0]));
    case ExprKind::kPositive:
      return posit(evaluate(*expr.parts[0]));
    case ExprKind::kAnd:
    case ExprKind::kOr: {
      Value value;
      for (const Expr* part : expr.parts) {
        value = evaluate(*part);
        if (is_true(value) == (expr.kind == ExprKind::kOr)) break;
      }
      return value;
    }
    case ExprKind::kConcat:
      return concatenate(expr);
    case ExprKind::kCompare:
      return compare(expr);
    case ExprKind::kOperation: {
      const Value left = evaluate(*expr.parts[0]);
      return operate(*this, expr.operations[0], left, evaluate(*expr.parts[1]));
    }
    case ExprKind::kCondition:
      if (is_true(evaluate(*expr.parts[0]))) return evaluate(*expr.parts[1]);
      if (expr.parts[2] != nullptr) return evaluate(*expr.parts[2]);
      return undefined("an inline if without else was false");
    case ExprKind::kMember:
      break;
  }
  fail("an expression stands where none can");
}

Value Interpreter::constant(const Expr& expr) {
  if (const auto* text_value = std::get_if<std::string>(&expr.constant)) return text(*text_value);
  if (const auto* boolean = std::get_if<bool>(&expr.constant)) return Value(*boolean);
  if (const auto* integer = std::get_if<std::int64_t>(&expr.constant)) return Value(*integer);
  if (const auto* real = std::get_if<double>(&expr.constant)) return Value(*real);
  return {};
}

Value Interpreter::literal(const Expr& expr) {
  if (expr.kind == ExprKind::kDict) {
    const Ref<Dict> dict = make_dict(heap_);
    for (std::size_t i = 0; i + 1 < expr.parts.size(); i += 2) {
      const Value key = evaluate(*expr.parts[i]);
      dict->set(key, evaluate(*expr.parts[i + 1]));
    }
    return Value(Kind::kDict, dict);
  }
  ListBuilder items(heap_);
  for (const Expr* part : expr.parts) items.add(evaluate(*part));
  return expr.kind == ExprKind::kList ? items.list() : items.tuple();
}

Value Interpreter::compare(const Expr& expr) {
  Value left = evaluate(*expr.parts[0]);
  for (std::size_t i = 0; i < expr.operations.size(); ++i) {
    Value right = evaluate(*expr.parts[i + 1]);
    if (!compares(*this, expr.operations[i], left, right)) return Value(false);
    left = std::move(right);
  }
  return Value(true);
}

Value Interpreter::concatenate(const Expr& expr) {
  std::vector<Value> parts;
  for (const Expr* part : expr.parts) parts.push_back(evaluate(*part));
  TextBuilder joined(heap_);
  for (const Value& part : parts) {
    if (part.is(Kind::kText))
      joined += part.text();
    else
      joined += printed(heap_, part);
  }
  return joined.value();
}

Arguments Interpreter::arguments(const CallSyntax& call) {
  Arguments made;
  for (const Expr* expr : call.positional) made.positional.push_back(evaluate(*expr));
  for (const auto& [name, expr] : call.named) made.named.emplace_back(name, evaluate(*expr));
  if (call.unpacked_list != nullptr)
    for (Value& value : listed(*this, evaluate(*call.unpacked_list))) made.positional.push_back(std::move(value));
  if (call.unpacked_dict != nullptr) {
    const Value dict = evaluate(*call.unpacked_dict);
    if (!dict.is(Kind::kDict)) fail("'**' takes a dict, got a value of type ", type_name(dict));
    for (const auto& [key, value] : dict.object<Dict>().entries) {
      heap_.step(1 + made.named.size());
      if (!key.is(Kind::kText)) fail("the names of arguments are texts, got a value of type ", type_name(key));
      for (const auto& [name, unused] : made.named)
        if (name == key.text()) fail("the argument ", quoted(name), " comes twice");
      made.named.emplace_back(key.text(), value);
    }
  }
  return made;
}

Value Interpreter::filter(const Expr& expr, const Value* subject) {
  const Heap::Nesting deeper(heap_);
  // Filters of a block follow each other, and the first has no subject of its own.
  const Expr* inner = expr.parts[0];
  const bool is_first = inner == nullptr;
  const Value value = is_first ? *subject : subject != nullptr ? filter(*inner, subject) : evaluate(*inner);
  Arguments given = arguments(*expr.call);
  line_ = expr.line;
  return call_builtin(*this, *expr.builtin, value, std::move(given));
}

Value Interpreter::call(const Expr& expr, const Value* caller) {
  const Value callee = evaluate(*expr.parts[0]);
  Arguments given = arguments(*expr.call);
  if (caller != nullptr) {
    for (const auto& [name, unused] : given.named)
      if (name == "caller") fail("the argument 'caller' comes twice");
    given.named.emplace_back("caller", *caller);
  }
  line_ = expr.line;
  return call(callee, std::move(given));
}

Value Interpreter::call(const Value& callee, Arguments given) {
  switch (callee.kind()) {
    case Kind::kFunction: {
      const Function& function = callee.object<Function>();
      return call_builtin(*this, function.builtin, function.self, std::move(given));
    }
    case Kind::kMacro:
      return call_macro(callee.object<Macro>(), std::move(given));
    case Kind::kLoop:
      if (given.positional.size() != 1 || !given.named.empty()) fail("loop() takes one value, to walk over");
      return recurse(callee.object<Loop>(), given.positional[0]);
    case Kind::kJoiner: {
      Joiner& joiner = callee.object<Joiner>();
      return std::exchange(joiner.used, true) ? joiner.separator : text("");
    }
    case Kind::kUndefined:
      fail(callee.text());
    default:
      fail("a value of type ", type_name(callee), " cannot be called");
  }
}

}  // namespace trireme::data::jinja
