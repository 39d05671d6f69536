// What statements do.
#include "data/jinja/interpreter.h"

#include <algorithm>

#include "data/jinja/characters.h"
#include "data/jinja/iteration.h"
#include "data/jinja/printing.h"

namespace trireme::data::jinja {
namespace {

/// The items of a loop with an "if", which is asked when an item's turn comes: bodies may have set what it reads.
class PassingIterator final : public Iterator {
 public:
  PassingIterator(const Stmt& loop, Ref<Iterator> source, Ref<Scope> outer)
      : Iterator("generator"), loop_(loop), source_(std::move(source)), outer_(std::move(outer)) {}
  void clear() noexcept override {
    source_ = {};
    outer_ = {};
  }
  std::optional<Value> next(Interpreter& interpreter) override {
    while (auto item = source_->next(interpreter))
      if (interpreter.passes(loop_, outer_, *item)) return item;
    return std::nullopt;
  }

 private:
  const Stmt& loop_;
  Ref<Iterator> source_;
  Ref<Scope> outer_;
};

}  // namespace

const Value* Scope::find(std::string_view name) const {
  heap().step(1 + variables.size() / 16);
  for (const auto& [variable, value] : variables)
    if (variable == name) return &value;
  return nullptr;
}

void Scope::set(std::string_view name, Value value) {
  heap().step(1 + variables.size() / 16);
  for (auto& [variable, held] : variables) {
    if (variable != name) continue;
    held = std::move(value);
    return;
  }
  heap().grow(*this, sizeof(variables[0]));
  variables.emplace_back(name, std::move(value));
}

std::string Macro::described() const {
  return stmt.kind == StmtKind::kMacro ? " " + quoted(stmt.text)
                                       : std::string(stmt.kind == StmtKind::kCallBlock ? " None" : "");
}

std::string Loop::described() const {
  const auto known = count ? count : length_of(iterable);
  return " " + std::to_string(index) + "/" + (known ? std::to_string(*known) : "?");
}

bool Loop::advance(Interpreter& interpreter) {
  std::optional<Value> next;
  if (after) {
    next = std::move(after);
    after.reset();
  } else {
    const Ref<Iterator> walk = source;  // length() may put another in its place
    next = walk->next(interpreter);
  }
  if (!next) return false;
  ++index;
  before = std::move(current);
  current = std::move(next);
  return true;
}

const std::optional<Value>& Loop::peek(Interpreter& interpreter) {
  if (!after) {
    const Ref<Iterator> walk = source;
    after = walk->next(interpreter);
  }
  return after;
}

std::int64_t Loop::length(Interpreter& interpreter) {
  if (count) return *count;
  count = length_of(iterable);
  if (!count) {
    const Value rest = make_list(interpreter.heap(), listed(interpreter, Value(Kind::kIterator, source)));
    source = iterate(interpreter.heap(), rest);
    count = static_cast<std::int64_t>(rest.items().size()) + index + (after ? 1 : 0);
  }
  return *count;
}

/// What follows runs with the variables of another scope.
class Interpreter::Inside {
 public:
  Inside(Interpreter& interpreter, Ref<Scope> scope)
      : interpreter_(interpreter), outer_(std::exchange(interpreter.scope_, std::move(scope))) {}
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  ~Inside() { interpreter_.scope_ = std::move(outer_); }

 private:
  Interpreter& interpreter_;
  Ref<Scope> outer_;
};

/// What is written goes into a text of its own.
class Interpreter::Capture {
 public:
  explicit Capture(Interpreter& interpreter)
      : interpreter_(interpreter), outer_(std::exchange(interpreter.out_, &text_)) {}
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  ~Capture() { end(); }
  Value value() {
    end();
    return interpreter_.text(std::move(text_));
  }

 private:
  void end() {
    if (outer_ == nullptr) return;
    interpreter_.out_ = std::exchange(outer_, nullptr);
    interpreter_.captured_ -= text_.size();
  }

  Interpreter& interpreter_;
  std::string text_;
  std::string* outer_;
};

Interpreter::Output Interpreter::run(const Ref<Dict>& variables) {
  variables_ = variables;
  const Inside root(*this, heap_.make<Scope>(0, Ref<Scope>()));
  hide(syntax_.root, *scope_);
  execute(syntax_.root.body);
  return {std::move(root_), std::move(generated_)};
}

void Interpreter::emit(std::string_view text) {
  heap_.step_bytes(text.size());
  if (out_ == &root_) {
    const std::size_t most = heap_.budget().output_bytes;
    if (text.size() > most || root_.size() > most - text.size())
      fail("renders more than ", most, " bytes, which is all that a rendering has");
  } else {
    heap_.require(captured_ + text.size());
    captured_ += text.size();
  }
  *out_ += text;
}

void Interpreter::emit(const Value& value) {
  if (value.is(Kind::kUndefined)) return;
  if (value.is(Kind::kText)) return emit(std::string_view(value.text()));
  if (value.is(Kind::kLoop)) value.object<Loop>().length(*this);
  emit(std::string_view(printed(heap_, value)));
}

void Interpreter::hide(const ScopedBody& scoped, Scope& scope) {
  for (const std::string_view name : scoped.hidden)
    if (scope.find(name) == nullptr) scope.set(name, undefined(quoted(name) + " is undefined"));
}

Interpreter::Flow Interpreter::execute(const Body& body) {
  for (const Stmt* stmt : body)
    if (const Flow flow = execute(*stmt); flow != Flow::kNormal) return flow;
  return Flow::kNormal;
}

Interpreter::Flow Interpreter::execute_scoped(const ScopedBody& scoped, const Ref<Scope>& scope) {
  const Inside inside(*this, scope);
  hide(scoped, *scope);
  return execute(scoped.body);
}

Interpreter::Flow Interpreter::execute(const Stmt& stmt) {
  heap_.step();
  line_ = stmt.line;
  if (stmt.kind == StmtKind::kText) {
    emit(stmt.text);
    return Flow::kNormal;
  }
  const Heap::Nesting deeper(heap_);
  switch (stmt.kind) {
    case StmtKind::kText:
      break;
    case StmtKind::kPrint:
      emit(evaluate(*stmt.expr));
      break;
    case StmtKind::kIf:
      return condition(stmt);
    case StmtKind::kFor:
      if (stmt.recursive) {
        Capture capture(*this);
        loop(stmt, evaluate(*stmt.expr), 1);
        emit(capture.value());
        break;
      }
      return loop(stmt, evaluate(*stmt.expr), 1);
    case StmtKind::kSet:
      assign(*stmt.target, evaluate(*stmt.expr));
      break;
    case StmtKind::kSetBlock:
      return set_block(stmt);
    case StmtKind::kWith:
      return with(stmt);
    case StmtKind::kMacro:
      scope_->set(stmt.text, Value(Kind::kMacro, heap_.make<Macro>(0, stmt, scope_)));
      break;
    case StmtKind::kCallBlock:
      call_block(stmt);
      break;
    case StmtKind::kFilterBlock:
      return filter_block(stmt);
    case StmtKind::kGeneration:
      generation(stmt);
      break;
    case StmtKind::kBreak:
      return Flow::kBreak;
    case StmtKind::kContinue:
      return Flow::kContinue;
  }
  return Flow::kNormal;
}

Interpreter::Flow Interpreter::condition(const Stmt& stmt) {
  for (const auto& [test, body] : stmt.branches) {
    heap_.step();
    if (is_true(evaluate(*test))) return execute(body);
  }
  return execute(stmt.otherwise);
}

bool Interpreter::passes(const Stmt& stmt, const Ref<Scope>& outer, Value& item) {
  heap_.step();
  const Heap::Nesting deeper(heap_);
  const Inside inside(*this, heap_.make<Scope>(0, outer));
  assign(*stmt.target, item);
  if (!is_true(evaluate(*stmt.test))) return false;
  item = read_back(*stmt.target);
  return true;
}

Interpreter::Flow Interpreter::loop(const Stmt& stmt, const Value& items, std::int64_t depth) {
  const Ref<Scope> outer = scope_;
  Value walked = items;
  if (stmt.test != nullptr)
    walked = Value(Kind::kIterator, heap_.make<PassingIterator>(0, stmt, iterate(heap_, items), outer));
  const auto loop = heap_.make<Loop>(0, stmt, walked, iterate(heap_, walked), outer, depth);
  bool is_empty = true;
  while (loop->advance(*this)) {
    heap_.step();
    const Ref<Scope> scope = heap_.make<Scope>(0, outer);
    scope->set("loop", Value(Kind::kLoop, loop));
    Flow flow = Flow::kNormal;
    {
      const Inside inside(*this, scope);
      assign(*stmt.target, *loop->current);
      hide(stmt.scoped, *scope);
      flow = execute(stmt.scoped.body);
    }
    if (flow == Flow::kBreak) break;
    // As in Jinja, where a body that ends early has not marked the loop as entered.
    if (flow == Flow::kNormal) is_empty = false;
  }
  if (!is_empty || stmt.empty.body.empty()) return Flow::kNormal;
  return execute_scoped(stmt.empty, heap_.make<Scope>(0, outer));
}

Value Interpreter::recurse(Loop& of, const Value& items) {
  if (!of.stmt.recursive) fail("a loop that is called needs the mark 'recursive'");
  const Heap::Nesting deeper(heap_);
  const Inside inside(*this, of.scope);
  Capture capture(*this);
  loop(of.stmt, items, of.depth + 1);
  return capture.value();
}

Interpreter::Flow Interpreter::with(const Stmt& stmt) {
  const Ref<Scope> scope = inner_scope();
  for (const auto& [target, expr] : stmt.bindings) {
    const Value value = evaluate(*expr);
    const Inside inside(*this, scope);
    assign(*target, value);
  }
  return execute_scoped(stmt.scoped, scope);
}

Interpreter::Flow Interpreter::set_block(const Stmt& stmt) {
  Value text;
  {
    Capture capture(*this);
    if (const Flow flow = execute_scoped(stmt.scoped, inner_scope()); flow != Flow::kNormal) return flow;
    text = capture.value();
  }
  assign(*stmt.target, stmt.expr == nullptr ? text : filter(*stmt.expr, &text));
  return Flow::kNormal;
}

Interpreter::Flow Interpreter::filter_block(const Stmt& stmt) {
  const Ref<Scope> scope = inner_scope();
  Value text;
  {
    Capture capture(*this);
    if (const Flow flow = execute_scoped(stmt.scoped, scope); flow != Flow::kNormal) return flow;
    text = capture.value();
  }
  const Inside inside(*this, scope);
  emit(filter(*stmt.expr, &text));
  return Flow::kNormal;
}

void Interpreter::call_block(const Stmt& stmt) {
  const Value caller(Kind::kMacro, heap_.make<Macro>(0, stmt, scope_));
  emit(call(*stmt.expr, &caller));
}

void Interpreter::generation(const Stmt& stmt) {
  counted_ += count_characters(std::string_view(root_).substr(counted_bytes_));
  counted_bytes_ = root_.size();
  const std::size_t begin = counted_;
  Value text;
  {
    Capture capture(*this);
    // It is a macro to Jinja, which is called without arguments.
    const Ref<Scope> scope = inner_scope();
    if (stmt.takes_caller) scope->set("caller", undefined("No caller defined"));
    if (stmt.takes_named) scope->set("kwargs", Value(Kind::kDict, make_dict(heap_)));
    if (stmt.takes_rest) scope->set("varargs", make_tuple(heap_, {}));
    execute_scoped(stmt.scoped, scope);
    text = capture.value();
  }
  generated_.emplace_back(begin, begin + text.object<Text>().length);
  emit(text);
}

void Interpreter::assign(const Expr& target, const Value& value) {
  switch (target.kind) {
    case ExprKind::kName:
      scope_->set(target.name, value);
      return;
    case ExprKind::kMember: {
      const Value holder = lookup(target.name);
      if (!holder.is(Kind::kNamespace)) fail(quoted(target.name), " is no namespace: only members of one can be set");
      const std::string& name = std::get<std::string>(target.constant);
      if (name.starts_with('_')) fail("a member of a namespace cannot begin with '_', got ", quoted(name));
      holder.object<Namespace>().members->set(text(name), value);
      return;
    }
    default: {
      const std::vector<Value> items = listed(*this, value);
      if (items.size() != target.parts.size())
        fail(target.parts.size(), " names are set at once, from ", items.size(), " values");
      for (std::size_t i = 0; i < items.size(); ++i) assign(*target.parts[i], items[i]);
    }
  }
}

Value Interpreter::read_back(const Expr& target) {
  if (target.kind == ExprKind::kName) return lookup(target.name);
  ListBuilder parts(heap_);
  for (const Expr* part : target.parts) parts.add(read_back(*part));
  return parts.tuple();
}

Value Interpreter::call_macro(Macro& macro, Arguments given) {
  const Heap::Nesting deeper(heap_);
  const Stmt& stmt = macro.stmt;
  const Ref<Scope> scope = heap_.make<Scope>(0, macro.scope);
  const auto take_named = [&](std::string_view name) -> std::optional<Value> {
    heap_.step(1 + given.named.size() / 16);
    const auto found =
        std::find_if(given.named.begin(), given.named.end(), [&](const auto& one) { return one.first == name; });
    if (found == given.named.end()) return std::nullopt;
    Value value = std::move(found->second);
    given.named.erase(found);
    return value;
  };

  std::vector<const Parameter*> missing;
  for (std::size_t i = 0; i < stmt.parameters.size(); ++i) {
    const Parameter& parameter = stmt.parameters[i];
    std::optional<Value> value;
    if (i < given.positional.size())
      value = given.positional[i];
    else
      value = take_named(parameter.name);
    if (!value) missing.push_back(&parameter);
    scope->set(parameter.name, value ? *value : undefined("parameter " + quoted(parameter.name) + " was not provided"));
  }
  if (stmt.takes_caller) {
    auto caller = take_named("caller");
    scope->set("caller", caller && !caller->is(Kind::kNone) ? *caller : undefined("No caller defined"));
  }
  if (stmt.takes_named) {
    const Ref<Dict> rest = make_dict(heap_);
    for (const auto& [name, value] : given.named) rest->set(text(name), value);
    scope->set("kwargs", Value(Kind::kDict, rest));
  } else if (!given.named.empty()) {
    fail("macro ", quoted(stmt.text), " takes no argument ", quoted(given.named[0].first));
  }
  if (stmt.takes_rest) {
    ListBuilder rest(heap_);
    for (std::size_t i = stmt.parameters.size(); i < given.positional.size(); ++i) rest.add(given.positional[i]);
    scope->set("varargs", rest.tuple());
  } else if (given.positional.size() > stmt.parameters.size()) {
    fail("macro ", quoted(stmt.text), " takes no more than ", stmt.parameters.size(), " arguments");
  }

  Capture capture(*this);
  const Inside inside(*this, scope);
  for (const Parameter* parameter : missing)
    if (parameter->otherwise != nullptr) scope->set(parameter->name, evaluate(*parameter->otherwise));
  hide(stmt.scoped, *scope);
  execute(stmt.scoped.body);
  return capture.value();
}

}  // namespace trireme::data::jinja
