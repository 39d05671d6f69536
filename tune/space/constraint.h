#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tune/space/value.h"

namespace trireme::tune {

/// An inequality over parameters: "width * layers <= 4096", "heads <= width / 64 and ffn % 64 == 0". What is known to
/// be senseless is then never tried, where a failed trial would have to teach it.
///
/// Numbers, 'text', names of parameters (with dots and dashes: a minus between two names stands between spaces), + - *
/// / % **, comparisons, and, or, not, true, false, parentheses, min(a, b), max(a, b), abs, log, log2, exp, sqrt, floor,
/// ceil, round. All bind as in Python: 1 < a <= b is a chain, a remainder has the sign of its divisor. A parameter
/// alone is a truth where it is `true`.
class Constraint {
 public:
  /// What a parameter is set to; nothing where it is inactive.
  using Lookup = std::function<std::optional<Value>(const std::string& name)>;

  /// @throws Error kUsage with the text, the column and what is allowed there; also when it is no comparison
  static Constraint parse(const std::string& text);

  const std::string& text() const { return text_; }
  /// Parameters that it names, each once, in order of appearance.
  const std::vector<std::string>& names() const { return names_; }

  /// A constraint says nothing of a point in which one of its parameters is inactive: it holds there. A comparison with
  /// a value that is not a number (a division by zero) does not hold.
  bool holds(const Lookup& lookup) const;

 private:
  struct Node;
  friend class ConstraintParser;
  std::string text_;
  std::vector<std::string> names_;
  std::shared_ptr<const Node> root_;
};

}  // namespace trireme::tune
