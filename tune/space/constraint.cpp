#include "tune/space/constraint.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <span>
#include <string_view>
#include <utility>

#include "core/base/error.h"
#include "core/base/text.h"

namespace trireme::tune {
namespace {

// Trees are walked by recursion, and are as deep as their text is long: a million times `1+` must not end the process.
constexpr std::size_t kLengthLimit = 2000;
constexpr int kDepthLimit = 100;
constexpr double kNoNumber = std::numeric_limits<double>::quiet_NaN();

// With the sign of the divisor, as in Python: (x - y) % 8 == 0 means the same below zero.
double remainder_of(double a, double b) {
  const double rest = b == 0 ? kNoNumber : std::fmod(a, b);
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

// Not a number stays so: std::min would drop it.
double least(double a, double b) { return std::isnan(a) || a < b ? a : b; }
double greatest(double a, double b) { return std::isnan(a) || a > b ? a : b; }

using Binary = double (*)(double, double);
struct Operator {
  std::string_view text;
  Binary compute;
};
constexpr std::array kSums{Operator{"+", [](double a, double b) { return a + b; }},
                           Operator{"-", [](double a, double b) { return a - b; }}};
constexpr std::array kProducts{Operator{"*", [](double a, double b) { return a * b; }},
                               Operator{"/", [](double a, double b) { return b == 0 ? kNoNumber : a / b; }},
                               Operator{"%", remainder_of}};

using Unary = double (*)(double);
struct Function {
  std::string_view name;
  Unary compute;
  Binary fold = nullptr;  // instead, of functions that take two numbers or more
};
constexpr std::array kFunctions{Function{"min", nullptr, least},
                                Function{"max", nullptr, greatest},
                                Function{"abs", [](double x) { return std::abs(x); }},
                                Function{"log", [](double x) { return std::log(x); }},
                                Function{"log2", [](double x) { return std::log2(x); }},
                                Function{"exp", [](double x) { return std::exp(x); }},
                                Function{"sqrt", [](double x) { return std::sqrt(x); }},
                                Function{"floor", [](double x) { return std::floor(x); }},
                                Function{"ceil", [](double x) { return std::ceil(x); }},
                                Function{"round", [](double x) { return std::round(x); }}};

struct Comparison {
  std::string_view text;
  bool (*holds)(double, double);
};
// Longer ones first: "<=" is not "<" and then "=". Unequal is not a != b, which holds for what is not a number.
constexpr std::array kComparisons{Comparison{"<=", [](double a, double b) { return a <= b; }},
                                  Comparison{">=", [](double a, double b) { return a >= b; }},
                                  Comparison{"==", [](double a, double b) { return a == b; }},
                                  Comparison{"!=", [](double a, double b) { return a < b || a > b; }},
                                  Comparison{"<", [](double a, double b) { return a < b; }},
                                  Comparison{">", [](double a, double b) { return a > b; }}};

struct Foreign {
  std::string_view text, ours;
};
constexpr std::array kForeign{Foreign{"&&", "and"}, Foreign{"||", "or"}, Foreign{"&", "and"}, Foreign{"|", "or"},
                              Foreign{"!", "not"},  Foreign{"=", "=="},  Foreign{"^", "**"}};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

}  // namespace

struct Constraint::Node {
  enum class Kind { kLiteral, kName, kUnary, kFold, kComparison, kAnd, kOr, kNot };

  Kind kind = Kind::kLiteral;
  std::vector<Node> parts;
  Value literal;
  std::size_t name = 0;  // place in names()
  Unary unary = nullptr;
  Binary fold = nullptr;  // of all parts, from the left
  const Comparison* comparison = nullptr;

  double number(const std::vector<Value>& values) const {
    if (kind == Kind::kLiteral) return value_number(literal).value_or(kNoNumber);
    if (kind == Kind::kName) return value_number(values[name]).value_or(kNoNumber);
    double result = parts.front().number(values);
    if (kind == Kind::kUnary) return unary(result);
    for (std::size_t i = 1; i < parts.size(); ++i) result = fold(result, parts[i].number(values));
    return result;
  }

  // What a comparison sees: text and truth values too.
  Value value(const std::vector<Value>& values) const {
    if (kind == Kind::kLiteral) return literal;
    if (kind == Kind::kName) return values[name];
    return is_truth() ? Value(truth(values)) : Value(number(values));
  }

  bool truth(const std::vector<Value>& values) const {
    const auto holds = [&](const Node& part) { return part.truth(values); };
    if (kind == Kind::kAnd) return std::all_of(parts.begin(), parts.end(), holds);
    if (kind == Kind::kOr) return std::any_of(parts.begin(), parts.end(), holds);
    if (kind == Kind::kNot) return !holds(parts.front());
    if (kind == Kind::kComparison) return compare(parts.front().value(values), parts.back().value(values));
    return same_value(value(values), Value(true));
  }

  bool compare(const Value& a, const Value& b) const {
    const std::optional<double> x = value_number(a), y = value_number(b);
    if (x && y) return comparison->holds(*x, *y);
    return comparison->text == "==" ? same_value(a, b) : comparison->text == "!=" && !same_value(a, b);
  }

  bool is_name() const { return kind == Kind::kName; }
  bool is_text() const { return kind == Kind::kLiteral && std::holds_alternative<std::string>(literal); }
  bool is_truth() const {
    return kind >= Kind::kComparison || (kind == Kind::kLiteral && std::holds_alternative<bool>(literal));
  }
  bool is_number() const { return !is_name() && !is_text() && !is_truth(); }
};

/// Recursive descent, one function a level of binding: or, and, not, comparisons, + -, * / %, sign, **.
class ConstraintParser {
 public:
  explicit ConstraintParser(const std::string& text) { result_.text_ = text; }

  Constraint parse() {
    if (text().size() > kLengthLimit)
      fail(kLengthLimit, "is longer than " + std::to_string(kLengthLimit) + " characters: make two of it");
    Node root = alternatives();
    skip_space();
    if (at_ < text().size()) fail(at_, "expected an operator, " + got());
    if (!root.is_truth() || root.kind == Kind::kLiteral)
      fail(0, "is no comparison: write an inequality such as width * layers <= 4096");
    result_.root_ = std::make_shared<const Node>(std::move(root));
    return std::move(result_);
  }

 private:
  using Node = Constraint::Node;
  using Kind = Node::Kind;
  using Level = Node (ConstraintParser::*)();

  // Moves, where {left, right} would copy whole trees.
  static std::vector<Node> both(Node left, Node right) {
    std::vector<Node> parts;
    parts.push_back(std::move(left));
    parts.push_back(std::move(right));
    return parts;
  }

  // What may nest without end has one of these.
  struct Depth {
    explicit Depth(ConstraintParser& p) : parser(p) {
      if (++parser.depth_ > kDepthLimit) parser.fail(parser.at_, "is nested too deep");
    }
    ~Depth() { --parser.depth_; }
    ConstraintParser& parser;
  };

  Node alternatives() {
    Node node = conjunction();
    while (take_word("or")) node = joined(Kind::kOr, std::move(node), &ConstraintParser::conjunction);
    return node;
  }

  Node conjunction() {
    Node node = negation();
    while (take_word("and")) node = joined(Kind::kAnd, std::move(node), &ConstraintParser::negation);
    return node;
  }

  Node joined(Kind kind, Node left, Level operand) {
    need_truth(left);
    Node right = (this->*operand)();
    need_truth(right);
    return Node{.kind = kind, .parts = both(std::move(left), std::move(right))};
  }

  Node negation() {
    if (!take_word("not")) return comparison();
    const Depth depth(*this);
    Node part = negation();
    need_truth(part);
    return Node{.kind = Kind::kNot, .parts = {std::move(part)}};
  }

  // a < b <= c is a < b and b <= c, as in mathematics and Python.
  Node comparison() {
    Node left = sum();
    std::vector<Node> all;
    while (const Comparison* sign = take_comparison()) {
      const std::size_t begin = at_;
      Node right = sum();
      check_comparable(*sign, left, right, begin);
      all.push_back(Node{.kind = Kind::kComparison, .parts = both(std::move(left), right), .comparison = sign});
      left = std::move(right);
    }
    if (all.empty()) return left;
    return all.size() == 1 ? all.front() : Node{.kind = Kind::kAnd, .parts = std::move(all)};
  }

  Node sum() { return folded(kSums, &ConstraintParser::product); }
  Node product() { return folded(kProducts, &ConstraintParser::sign); }

  Node folded(std::span<const Operator> operators, Level operand) {
    Node left = (this->*operand)();
    while (true) {
      const std::size_t begin = at_;
      const auto taken = std::find_if(operators.begin(), operators.end(), [&](const auto& o) { return take(o.text); });
      if (taken == operators.end()) return left;
      left = computed(taken->compute, std::move(left), (this->*operand)(), begin);
    }
  }

  Node sign() {
    const Depth depth(*this);
    if (take("+")) return sign();
    const std::size_t begin = at_;
    if (!take("-")) return power();
    Node part = sign();
    need_number(part, begin);
    return Node{.kind = Kind::kUnary, .parts = {std::move(part)}, .unary = [](double x) { return -x; }};
  }

  // Binds tighter than a sign on its left and takes one on its right: -2**2 is -4, 2**-1 is 0.5.
  Node power() {
    Node base = atom();
    const std::size_t begin = at_;
    if (!take("**")) return base;
    return computed([](double a, double b) { return std::pow(a, b); }, std::move(base), sign(), begin);
  }

  Node atom() {
    skip_space();
    const std::size_t begin = at_;
    if (begin == text().size()) fail(begin, kOperands + got());
    const char c = text()[begin];
    if (take("(")) return parenthesis();
    if (c == '\'' || c == '"') return quoted(c);
    if (is_digit(c) || (c == '.' && begin + 1 < text().size() && is_digit(text()[begin + 1]))) return number();
    if (!is_letter(c)) fail(begin, kOperands + got());
    const std::string word = read_name();
    if (word == "and" || word == "or" || word == "not") fail(begin, kOperands + "got the word " + word);
    if (word == "true" || word == "false") return Node{.literal = Value(word == "true")};
    if (take("(")) return call(word, begin);
    return Node{.kind = Kind::kName, .name = place_of(word)};
  }

  Node parenthesis() {
    Node inner = alternatives();
    close();
    return inner;
  }

  Node quoted(char quote) {
    const std::size_t begin = at_, end = text().find(quote, begin + 1);
    if (end == std::string::npos) fail(begin, "a text is not closed by another quote");
    at_ = end + 1;
    return Node{.literal = Value(text().substr(begin + 1, end - begin - 1))};
  }

  Node number() {
    double value = 0;
    const char* begin = text().data() + at_;
    const auto [end, error] = std::from_chars(begin, text().data() + text().size(), value);
    if (error != std::errc()) fail(at_, "a number must lie within the range of double");
    at_ += static_cast<std::size_t>(end - begin);
    return Node{.literal = Value(value)};
  }

  Node call(const std::string& name, std::size_t begin) {
    const auto* found =
        std::find_if(kFunctions.begin(), kFunctions.end(), [&](const Function& f) { return f.name == name; });
    if (found == kFunctions.end()) {
      std::vector<std::string> known;
      for (const Function& function : kFunctions) known.emplace_back(function.name);
      fail(begin, "no function is called " + name + "; there are " + join(known, ", "));
    }
    Node result{.kind = found->fold ? Kind::kFold : Kind::kUnary, .unary = found->compute, .fold = found->fold};
    do {
      const std::size_t argument = at_;
      result.parts.push_back(alternatives());
      need_number(result.parts.back(), argument);
    } while (take(","));
    close();
    const std::size_t count = result.parts.size();
    if (found->fold ? count < 2 : count != 1)
      fail(begin,
           name + " takes " + (found->fold ? "two numbers or more" : "one number") + ", got " + std::to_string(count));
    return result;
  }

  void close() {
    if (!take(")")) fail(at_, "expected an operator or ), " + got());
  }

  Node computed(Binary fold, Node left, Node right, std::size_t begin) {
    need_number(left, begin);
    need_number(right, begin);
    return Node{.kind = Kind::kFold, .parts = both(std::move(left), std::move(right)), .fold = fold};
  }

  void need_number(const Node& part, std::size_t begin) {
    if (!part.is_number() && !part.is_name()) fail(begin, "a text or a truth value is no number to compute with");
  }

  void need_truth(const Node& part) {
    if (!part.is_truth() && !part.is_name()) fail(at_, "and, or, not stand between comparisons, not numbers or text");
  }

  void check_comparable(const Comparison& sign, const Node& left, const Node& right, std::size_t begin) {
    const auto plain = [](const Node& n) { return n.is_number() || n.is_name(); };
    if (sign.text != "==" && sign.text != "!=") {
      if (!plain(left) || !plain(right)) fail(begin, "a text or a truth value can only be compared by == and !=");
    } else if (!left.is_name() && !right.is_name() &&
               (left.is_number() != right.is_number() || left.is_text() != right.is_text())) {
      fail(begin, "values of two kinds are never equal");
    }
  }

  std::size_t place_of(const std::string& name) {
    auto& names = result_.names_;
    const auto found = std::find(names.begin(), names.end(), name);
    const auto place = static_cast<std::size_t>(found - names.begin());
    if (found == names.end()) names.push_back(name);
    return place;
  }

  // Letters, digits and _, joined by single dots and dashes.
  std::string read_name() {
    const auto inside = [&](std::size_t i) {
      return i < text().size() && (is_letter(text()[i]) || is_digit(text()[i]));
    };
    const std::size_t begin = at_;
    while (inside(at_) || ((text()[at_] == '.' || text()[at_] == '-') && inside(at_ + 1))) ++at_;
    return text().substr(begin, at_ - begin);
  }

  bool take(std::string_view symbol) {
    skip_space();
    if (!std::string_view(text()).substr(at_).starts_with(symbol)) return false;
    if (symbol == "*" && at_ + 1 < text().size() && text()[at_ + 1] == '*') return false;
    at_ += symbol.size();
    return true;
  }

  bool take_word(const std::string& word) {
    skip_space();
    const std::size_t begin = at_;
    if (begin < text().size() && is_letter(text()[begin]) && read_name() == word) return true;
    at_ = begin;
    return false;
  }

  const Comparison* take_comparison() {
    for (const Comparison& comparison : kComparisons)
      if (take(comparison.text)) return &comparison;
    return nullptr;
  }

  void skip_space() {
    while (at_ < text().size() && is_space(text()[at_])) ++at_;
  }

  std::string got() {
    skip_space();
    if (at_ == text().size()) return "got the end";
    const std::string_view rest = std::string_view(text()).substr(at_);
    for (const Foreign& sign : kForeign)
      if (rest.starts_with(sign.text)) return "got " + std::string(sign.text) + "; write " + std::string(sign.ours);
    return "got " + one_line(rest, 12);
  }

  [[noreturn]] void fail(std::size_t at, const std::string& what) const {
    throw Error(ErrorCode::kUsage, "constraint \"", one_line(text(), 120), "\" column ", at + 1, ": ", what);
  }

  const std::string& text() const { return result_.text_; }

  static inline const std::string kOperands = "expected a number, a parameter, 'text' or (, ";
  Constraint result_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

Constraint Constraint::parse(const std::string& text) { return ConstraintParser(text).parse(); }

bool Constraint::holds(const Lookup& lookup) const {
  std::vector<Value> values;
  for (const std::string& name : names_) {
    std::optional<Value> value = lookup(name);
    if (!value) return true;
    values.push_back(*std::move(value));
  }
  return root_->truth(values);
}

}  // namespace trireme::tune
