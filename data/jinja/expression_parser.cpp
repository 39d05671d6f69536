#include "data/jinja/expression_parser.h"

#include <charconv>

#include "data/jinja/builtin.h"

namespace trireme::data::jinja {

bool ExpressionParser::ends_tuple(Names ends) const {
  return token().kind == TokenKind::kPrintEnd || token().kind == TokenKind::kBlockEnd || is_symbol(")") ||
         (token().kind == TokenKind::kName && contains(ends, token().text));
}

const Expr* ExpressionParser::tuple(Names ends, bool with_condition, bool in_parentheses) {
  const int line = token().line;
  std::vector<const Expr*> parts;
  bool is_tuple = false;
  for (;;) {
    if (ends_tuple(ends)) break;
    parts.push_back(expression(with_condition));
    if (!take_symbol(",")) break;
    is_tuple = true;
  }
  if (!is_tuple && !parts.empty()) return parts[0];
  if (!is_tuple && !in_parentheses) refuse("expected an expression, got " + described(token()));
  return &make(ExprKind::kTuple, line, std::move(parts));
}

const Expr* ExpressionParser::expression(bool with_condition) {
  const Deeper guard = deeper();
  const int line = token().line;
  const Expr* left = either();
  while (with_condition && take_name("if")) {
    const Expr* test = either();
    const Expr* otherwise = take_name("else") ? expression() : nullptr;
    left = &make(ExprKind::kCondition, line, {test, left, otherwise});
  }
  return left;
}

const Expr* ExpressionParser::either() {
  return joined("or", ExprKind::kOr, [&] { return both(); });
}

const Expr* ExpressionParser::both() {
  return joined("and", ExprKind::kAnd, [&] { return negation(); });
}

const Expr* ExpressionParser::negation() {
  const Deeper guard = deeper();
  const int line = token().line;
  if (take_name("not")) return &make(ExprKind::kNot, line, {negation()});
  return comparison();
}

std::optional<Operation> ExpressionParser::comparing() {
  constexpr std::pair<std::string_view, Operation> kSymbols[] = {
      {"==", Operation::kEqual},        {"!=", Operation::kNotEqual}, {"<=", Operation::kLessEqual},
      {">=", Operation::kGreaterEqual}, {"<", Operation::kLess},      {">", Operation::kGreater}};
  for (const auto& [symbol, operation] : kSymbols)
    if (take_symbol(symbol)) return operation;
  if (take_name("in")) return Operation::kIn;
  if (is_name("not") && is_name("in", 1)) {
    take();
    take();
    return Operation::kNotIn;
  }
  return std::nullopt;
}

const Expr* ExpressionParser::comparison() {
  const int line = token().line;
  std::vector<const Expr*> parts{sum()};
  std::vector<Operation> operations;
  while (const auto operation = comparing()) {
    operations.push_back(*operation);
    parts.push_back(sum());
  }
  if (operations.empty()) return parts[0];
  Expr& made = make(ExprKind::kCompare, line, std::move(parts));
  made.operations = std::move(operations);
  return &made;
}

const Expr* ExpressionParser::sum() {
  return operated({{"+", Operation::kAdd}, {"-", Operation::kSubtract}}, [&] { return concatenation(); });
}

const Expr* ExpressionParser::concatenation() {
  const int line = token().line;
  std::vector<const Expr*> parts{product()};
  while (take_symbol("~")) parts.push_back(product());
  return parts.size() == 1 ? parts[0] : &make(ExprKind::kConcat, line, std::move(parts));
}

const Expr* ExpressionParser::product() {
  return operated({{"*", Operation::kMultiply},
                   {"/", Operation::kDivide},
                   {"//", Operation::kFloorDivide},
                   {"%", Operation::kModulo}},
                  [&] { return power(); });
}

const Expr* ExpressionParser::power() {
  return operated({{"**", Operation::kPower}}, [&] { return unary(true); });
}

const Expr* ExpressionParser::unary(bool with_filter) {
  const Deeper guard = deeper();
  const int line = token().line;
  const Expr* made = nullptr;
  if (take_symbol("-"))
    made = &make(ExprKind::kNegative, line, {unary(false)});
  else if (take_symbol("+"))
    made = &make(ExprKind::kPositive, line, {unary(false)});
  else
    made = primary();
  made = postfix(made);
  return with_filter ? filtered(made) : made;
}

const Expr* ExpressionParser::primary() {
  const Token& first = token();
  switch (first.kind) {
    case TokenKind::kName:
      take();
      if (is_constant(first.text)) {
        if (first.text == "none" || first.text == "None") return &constant(first.line, {});
        return &constant(first.line, first.text == "true" || first.text == "True");
      }
      {
        scopes_.read(first.text);
        Expr& made = make(ExprKind::kName, first.line);
        made.name = first.text;
        return &made;
      }
    case TokenKind::kString: {
      std::string text;
      while (token().kind == TokenKind::kString) text += unescaped(take());
      return &constant(first.line, std::move(text));
    }
    case TokenKind::kInteger:
      take();
      return &constant(first.line, integer(first));
    case TokenKind::kFloat:
      take();
      return &constant(first.line, real(first));
    default:
      break;
  }
  if (take_symbol("(")) {
    const Expr* made = tuple({}, /*with_condition=*/true, /*in_parentheses=*/true);
    expect_symbol(")");
    return made;
  }
  if (take_symbol("[")) return &make(ExprKind::kList, first.line, items("]", false));
  if (take_symbol("{")) return &make(ExprKind::kDict, first.line, items("}", true));
  refuse("unexpected " + described(first));
}

std::vector<const Expr*> ExpressionParser::items(std::string_view end, bool are_pairs) {
  std::vector<const Expr*> parts;
  while (!is_symbol(end)) {
    if (!parts.empty()) {
      expect_symbol(",");
      if (is_symbol(end)) break;
    }
    parts.push_back(expression());
    if (!are_pairs) continue;
    expect_symbol(":");
    parts.push_back(expression());
  }
  expect_symbol(end);
  return parts;
}

std::string ExpressionParser::plain_digits(std::string_view text) {
  std::string digits(text);
  std::erase(digits, '_');
  return digits;
}

std::int64_t ExpressionParser::integer(const Token& token) {
  std::string digits = plain_digits(token.text);
  int base = 10;
  if (digits.size() > 2 && digits[0] == '0') {
    const char mark = static_cast<char>(digits[1] | 0x20);
    base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 10;
    if (base != 10) digits.erase(0, 2);
  }
  std::int64_t value = 0;
  if (std::from_chars(digits.data(), digits.data() + digits.size(), value, base).ec != std::errc{})
    refuse(token.line,
           "the number " + digits.substr(0, 40) + " does not fit into 64 bits, which is all that is supported");
  return value;
}

double ExpressionParser::real(const Token& token) {
  const std::string digits = plain_digits(token.text);
  double value = 0;
  if (std::from_chars(digits.data(), digits.data() + digits.size(), value).ec != std::errc{})
    refuse(token.line, "the number " + digits.substr(0, 40) + " is too large or too small");
  return value;
}

const Expr* ExpressionParser::postfix(const Expr* made) {
  for (;;) {
    const int line = token().line;
    if (take_symbol("."))
      made = member(made, line);
    else if (take_symbol("["))
      made = subscript(made, line);
    else if (is_symbol("("))
      made = call(made);
    else
      return made;
  }
}

const Expr* ExpressionParser::member(const Expr* of, int line) {
  const Token& name = take();
  if (name.kind == TokenKind::kInteger) return &make(ExprKind::kItem, line, {of, &constant(line, integer(name))});
  if (name.kind != TokenKind::kName)
    refuse(name.line, "expected a name or a number behind '.', got " + described(name));
  Expr& made = make(ExprKind::kAttribute, line, {of});
  made.name = name.text;
  return &made;
}

const Expr* ExpressionParser::subscript(const Expr* of, int line) {
  std::vector<const Expr*> keys;
  std::vector<const Expr*> slice;
  while (!is_symbol("]")) {
    if (!keys.empty() || !slice.empty()) expect_symbol(",");
    if (!slice.empty()) refuse("a slice stands alone between brackets");
    const Expr* first = is_symbol(":") ? nullptr : expression();
    if (!is_symbol(":")) {
      keys.push_back(first);
      continue;
    }
    if (!keys.empty()) refuse("a slice stands alone between brackets");
    take();
    const auto bound = [&] { return is_symbol(":") || is_symbol("]") || is_symbol(",") ? nullptr : expression(); };
    slice = {of, first, bound(), nullptr};
    if (take_symbol(":")) slice[3] = bound();
  }
  expect_symbol("]");
  if (!slice.empty()) return &make(ExprKind::kSlice, line, std::move(slice));
  const Expr* key = keys.size() == 1 ? keys[0] : &make(ExprKind::kTuple, line, std::move(keys));
  return &make(ExprKind::kItem, line, {of, key});
}

void ExpressionParser::arguments(Expr& of) {
  auto made = std::make_unique<CallSyntax>();
  const int line = token().line;
  const auto require = [&](bool holds) {
    if (!holds)
      refuse(line, "arguments stand in the wrong order: first those without a name, *list, name=value, **dict");
  };
  expect_symbol("(");
  bool is_first = true;
  while (!is_symbol(")")) {
    if (!is_first) {
      expect_symbol(",");
      if (is_symbol(")")) break;
    }
    is_first = false;
    const bool unpacked = made->unpacked_list != nullptr || made->unpacked_dict != nullptr;
    const Expr* value = nullptr;
    if (take_symbol("*")) {
      require(!unpacked);
      value = made->unpacked_list = expression();
    } else if (take_symbol("**")) {
      require(made->unpacked_dict == nullptr);
      value = made->unpacked_dict = expression();
    } else if (token().kind == TokenKind::kName && token(1).kind == TokenKind::kOperator && token(1).text == "=") {
      require(made->unpacked_dict == nullptr);
      const std::string_view name = take().text;
      take();
      value = expression();
      for (const auto& [other, unused] : made->named)
        if (other == name) refuse(line, "the argument " + quoted(name) + " comes twice");
      made->named.emplace_back(name, value);
    } else {
      require(!unpacked && made->named.empty());
      value = expression();
      made->positional.push_back(value);
    }
    nest(of, value);
    if (made->positional.size() + made->named.size() > kMaxArguments)
      refuse("a call has more than " + std::to_string(kMaxArguments) + " arguments");
  }
  expect_symbol(")");
  of.call = std::move(made);
}

const Expr* ExpressionParser::call(const Expr* callee) {
  Expr& made = make(ExprKind::kCall, token().line, {callee});
  arguments(made);
  return &made;
}

std::string ExpressionParser::dotted_name() {
  std::string name(any_name());
  while (take_symbol(".")) name += "." + std::string(any_name());
  return name;
}

const Expr* ExpressionParser::filtered(const Expr* made) {
  for (;;) {
    if (is_symbol("|"))
      made = filters(made);
    else if (is_name("is"))
      made = test(made);
    else if (is_symbol("("))
      made = call(made);
    else
      return made;
  }
}

const Expr* ExpressionParser::filters(const Expr* made, bool starts_inline) {
  while (starts_inline || is_symbol("|")) {
    if (!starts_inline) take();
    starts_inline = false;
    const int line = token().line;
    const std::string name = dotted_name();
    Expr& filter = make(ExprKind::kFilter, line, {made});
    filter.builtin = find_filter(name);
    if (filter.builtin == nullptr)
      refuse(line, (is_known_filter(name) ? "the filter " : "there is no filter ") + quoted(name.substr(0, 40)) +
                       (is_known_filter(name) ? " is not supported" : ""));
    if (is_symbol("("))
      arguments(filter);
    else
      filter.call = std::make_unique<CallSyntax>();
    made = &filter;
  }
  return made;
}

const Expr* ExpressionParser::test(const Expr* made) {
  const int line = take().line;
  const bool is_negated = take_name("not");
  const std::string name = dotted_name();
  Expr& check = make(ExprKind::kTest, line, {made});
  check.builtin = find_test(name);
  if (check.builtin == nullptr) refuse(line, "there is no test " + quoted(name.substr(0, 40)));
  if (is_symbol("(")) {
    arguments(check);
  } else {
    check.call = std::make_unique<CallSyntax>();
    const TokenKind kind = token().kind;
    const bool takes_value = kind == TokenKind::kName || kind == TokenKind::kString || kind == TokenKind::kInteger ||
                             kind == TokenKind::kFloat || is_symbol("[") || is_symbol("{");
    if (takes_value && !is_name("else") && !is_name("or") && !is_name("and")) {
      if (is_name("is")) refuse("tests cannot follow each other with 'is'");
      const Deeper guard = deeper();
      const Expr* argument = postfix(primary());
      check.call->positional.push_back(argument);
      nest(check, argument);
    }
  }
  return is_negated ? &make(ExprKind::kNot, line, {&check}) : &check;
}

}  // namespace trireme::data::jinja
