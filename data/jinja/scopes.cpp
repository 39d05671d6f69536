#include "data/jinja/scopes.h"

namespace trireme::data::jinja {

void Scopes::read(std::string_view name) {
  inner_->names.try_emplace(name, false);
  for (Macro& macro : macros_) {
    if (name == "caller" && !macro.sets_caller) macro.stmt->takes_caller = true;
    if (name == "kwargs" && !macro.sets_named) macro.stmt->takes_named = true;
    if (name == "varargs" && !macro.sets_rest) macro.stmt->takes_rest = true;
  }
}

void Scopes::set(std::string_view name) {
  inner_->names.try_emplace(name, inner_->branches == 0);
  for (Macro& macro : macros_) {
    macro.sets_caller = macro.sets_caller || name == "caller";
    macro.sets_named = macro.sets_named || name == "kwargs";
    macro.sets_rest = macro.sets_rest || name == "varargs";
  }
}

void Scopes::finish() {
  for (const Scope& scope : scopes_) {
    if (scope.body == nullptr) continue;
    for (const auto& [name, may_hide] : scope.names) {
      bool hides = may_hide;
      for (const Scope* outer = scope.outer; hides && outer != nullptr; outer = outer->outer)
        hides = !outer->names.contains(name);
      if (hides) scope.body->hidden.push_back(name);
    }
  }
}

}  // namespace trireme::data::jinja
