#pragma once
#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "data/jinja/value.h"

namespace trireme::data::jinja {

/// Arguments of a call by the parameters of what is called.
class Bound {
 public:
  Bound(Heap& heap, const Builtin& builtin, Arguments arguments);

  bool has(std::size_t i) const { return values_[i].has_value(); }
  /// An argument that was given.
  const Value& operator[](std::size_t i) const { return *values_[i]; }
  /// As they came, where the parameters are "*".
  Arguments& all() { return all_; }

  /// The argument as what it must be. @throws Failure  it is something else
  std::int64_t integer(std::size_t i, std::int64_t otherwise) const;
  bool truth(std::size_t i, bool otherwise) const { return has(i) ? is_true(*values_[i]) : otherwise; }
  /// Absent and None are no text.
  std::optional<std::string_view> text(std::size_t i) const;

 private:
  const Builtin& builtin_;
  Arguments all_;
  std::array<std::optional<Value>, 6> values_;
};

/// A filter, a test, a method or a global function: a line of a table.
struct Builtin {
  std::string_view name;
  /// Names of the parameters behind the subject. "*" takes all as they come, "/" first means by position only.
  std::string_view parameters;
  std::size_t required;  ///< how many of them must be given
  Value (*call)(Interpreter&, const Value& subject, Bound& arguments);
};

/// Filters and tests by name; null for one that does not exist.
const Builtin* find_filter(std::string_view name);
const Builtin* find_test(std::string_view name);
/// Whether Jinja has one of this name, which is not supported here.
bool is_known_filter(std::string_view name);
const Builtin* find_global(std::string_view name);
/// A method of a value's type, or null. @throws Failure  Python has it, and it is not supported
const Builtin* find_method(const Value& value, std::string_view name);

Value call_builtin(Interpreter& interpreter, const Builtin& builtin, const Value& subject, Arguments arguments);
/// text.name(arguments)
Value call_method(Interpreter& interpreter, const Value& text, std::string_view name, std::vector<Value> arguments);

}  // namespace trireme::data::jinja
