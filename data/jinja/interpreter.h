#pragma once
#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/jinja/syntax.h"
#include "data/jinja/value.h"

namespace trireme::data::jinja {

/// Variables of a body, and those of the bodies around it.
struct Scope : Object {
  explicit Scope(Ref<Scope> around) : outer(std::move(around)) {}
  void clear() noexcept override {
    variables.clear();
    outer = {};
  }
  const Value* find(std::string_view name) const;
  void set(std::string_view name, Value value);

  std::vector<std::pair<std::string_view, Value>> variables;
  Ref<Scope> outer;
};

struct Macro : Object {
  Macro(const Stmt& statement, Ref<Scope> defined_in) : stmt(statement), scope(std::move(defined_in)) {}
  void clear() noexcept override { scope = {}; }
  std::string described() const override;
  const Stmt& stmt;
  Ref<Scope> scope;
};

/// The variable "loop".
struct Loop : Object {
  Loop(const Stmt& statement, Value over, Ref<Iterator> walks, Ref<Scope> defined_in, std::int64_t level)
      : stmt(statement),
        iterable(std::move(over)),
        source(std::move(walks)),
        scope(std::move(defined_in)),
        depth(level) {}
  void clear() noexcept override {
    iterable = {};
    source = {};
    scope = {};
    before.reset();
    current.reset();
    after.reset();
    changed = {};
  }
  std::string described() const override;
  /// Goes on by one item. Whether there is one.
  bool advance(Interpreter& interpreter);
  /// The item behind the current one, which is asked for early.
  const std::optional<Value>& peek(Interpreter& interpreter);
  /// Walks to the end where the items cannot be counted otherwise.
  std::int64_t length(Interpreter& interpreter);

  const Stmt& stmt;
  Value iterable;
  Ref<Iterator> source;
  Ref<Scope> scope;
  std::optional<Value> before, current, after;
  std::optional<std::int64_t> count;
  Value changed;           ///< the arguments of the last changed()
  std::int64_t index = 0;  ///< from 1
  std::int64_t depth;      ///< from 1
};

/// Now, as strftime_now shows it: in local time.
using Clock = std::function<std::chrono::system_clock::time_point()>;

/// Walks a tree and writes what it renders. One object renders once.
class Interpreter {
 public:
  Interpreter(const Syntax& syntax, Heap& heap, const Clock& clock) : syntax_(syntax), heap_(heap), clock_(clock) {}

  struct Output {
    std::string text;
    std::vector<std::pair<std::size_t, std::size_t>> generated;  ///< characters, from and to
  };
  /// @throws Failure, Raised
  Output run(const Ref<Dict>& variables);
  /// Where it is, for messages.
  int line() const { return line_; }

  Heap& heap() { return heap_; }
  const Clock& clock() const { return clock_; }
  Value call(const Value& callee, Arguments arguments);
  /// loop(items) of a recursive loop.
  Value recurse(Loop& loop, const Value& items);
  bool passes(const Stmt& loop, const Ref<Scope>& outer, Value& item);

  Value text(std::string bytes, bool safe = false) { return make_text(heap_, std::move(bytes), safe); }
  Value undefined(std::string hint) { return Value::undefined(heap_, std::move(hint)); }

 private:
  enum class Flow { kNormal, kBreak, kContinue };
  class Inside;
  class Capture;

  Flow execute(const Body& body);
  Flow execute(const Stmt& stmt);
  Flow execute_scoped(const ScopedBody& scoped, const Ref<Scope>& scope);
  Flow condition(const Stmt& stmt);
  Flow loop(const Stmt& stmt, const Value& items, std::int64_t depth);
  Flow with(const Stmt& stmt);
  Flow set_block(const Stmt& stmt);
  Flow filter_block(const Stmt& stmt);
  void call_block(const Stmt& stmt);
  void generation(const Stmt& stmt);
  void emit(std::string_view text);
  void emit(const Value& value);
  void assign(const Expr& target, const Value& value);
  Value read_back(const Expr& target);
  void hide(const ScopedBody& scoped, Scope& scope);
  Ref<Scope> inner_scope() { return heap_.make<Scope>(0, scope_); }

  Value evaluate(const Expr& expr);
  Value constant(const Expr& expr);
  Value lookup(std::string_view name);
  Value literal(const Expr& expr);
  Value compare(const Expr& expr);
  Value concatenate(const Expr& expr);
  Value filter(const Expr& expr, const Value* subject);
  Value call(const Expr& expr, const Value* caller);
  Value call_macro(Macro& macro, Arguments arguments);
  Arguments arguments(const CallSyntax& call);

  const Syntax& syntax_;
  Heap& heap_;
  const Clock& clock_;
  Ref<Dict> variables_;
  Ref<Scope> scope_;
  int line_ = 1;
  std::string root_;
  std::string* out_ = &root_;
  std::size_t captured_ = 0;                     // bytes of all captures that run
  std::size_t counted_bytes_ = 0, counted_ = 0;  // characters of root_ so far
  std::vector<std::pair<std::size_t, std::size_t>> generated_;
};

/// What raise_exception was called with.
struct Raised {
  std::string message;
};

}  // namespace trireme::data::jinja
