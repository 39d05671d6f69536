#pragma once
#include <deque>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "data/jinja/syntax.h"

namespace trireme::data::jinja {

/// Finds out, while a template is parsed, which names a body hides. Jinja decides this when it compiles: a body that
/// sets a name before it reads it, and not under an "if" alone, has a variable of its own from its start, unless a body
/// around it has the name. It also tells which macros read caller, kwargs and varargs.
class Scopes {
 public:
  /// What follows is in `body`, which lives as long as this.
  void enter(ScopedBody& body) {
    scopes_.push_back({inner_, &body, {}, 0});
    inner_ = &scopes_.back();
  }
  /// In an expression with variables of its own.
  void enter_expression() {
    scopes_.push_back({inner_, nullptr, {}, 0});
    inner_ = &scopes_.back();
  }
  void leave() { inner_ = inner_->outer; }
  /// Leaves a body for a while, and comes back to it.
  auto step_out() { return std::exchange(inner_, inner_->outer); }
  template <class Place>
  void step_in(Place inner) {
    inner_ = inner;
  }

  void enter_branch() { ++inner_->branches; }
  void leave_branch() { --inner_->branches; }

  void enter_macro(Stmt& macro) { macros_.push_back({&macro, false, false, false}); }
  void leave_macro() { macros_.pop_back(); }

  void read(std::string_view name);
  void set(std::string_view name);
  void declare(std::string_view name) { inner_->names[name] = false; }

  /// Fills in what bodies hide.
  void finish();

 private:
  struct Scope {
    Scope* outer;
    ScopedBody* body;
    std::map<std::string_view, bool> names;  // whether it is hidden if no outer scope has it
    int branches;
  };
  struct Macro {
    Stmt* stmt;
    bool sets_caller, sets_named, sets_rest;
  };

  std::deque<Scope> scopes_;
  Scope* inner_ = nullptr;
  std::vector<Macro> macros_;
};

}  // namespace trireme::data::jinja
