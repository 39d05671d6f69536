#pragma once
#include <algorithm>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/jinja/budget.h"
#include "data/jinja/characters.h"
#include "data/jinja/lexer.h"
#include "data/jinja/scopes.h"
#include "data/jinja/syntax.h"

namespace trireme::data::jinja {

/// Tokens to expressions, with the levels of precedence of Jinja's parser. What it cannot read it refuses with the
/// line.
class ExpressionParser {
 protected:
  using Names = std::initializer_list<std::string_view>;

  explicit ExpressionParser(Syntax& syntax) : syntax_(syntax), tokens_(tokenize(syntax.source)) {}

  const Token& token(std::size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
  const Token& take() {
    const Token& taken = token();
    if (at_ + 1 < tokens_.size()) ++at_;
    return taken;
  }
  bool is_symbol(std::string_view symbol) const {
    return token().kind == TokenKind::kOperator && token().text == symbol;
  }
  bool is_name(std::string_view name, std::size_t ahead = 0) const {
    return token(ahead).kind == TokenKind::kName && token(ahead).text == name;
  }
  bool take_symbol(std::string_view symbol) {
    if (!is_symbol(symbol)) return false;
    take();
    return true;
  }
  bool take_name(std::string_view name) {
    if (!is_name(name)) return false;
    take();
    return true;
  }
  void expect_symbol(std::string_view symbol) {
    if (!take_symbol(symbol)) refuse("expected '" + std::string(symbol) + "', got " + described(token()));
  }
  void expect_name(std::string_view name) {
    if (!take_name(name)) refuse("expected '" + std::string(name) + "', got " + described(token()));
  }
  std::string_view any_name() {
    if (token().kind != TokenKind::kName) refuse("expected a name, got " + described(token()));
    return take().text;
  }
  void expect_block_end() {
    if (token().kind != TokenKind::kBlockEnd) refuse("expected '%}', got " + described(token()));
    take();
  }
  static std::string described(const Token& token) {
    switch (token.kind) {
      case TokenKind::kBlockEnd:
        return "'%}'";
      case TokenKind::kPrintEnd:
        return "'}}'";
      case TokenKind::kEnd:
        return "the end of the template";
      case TokenKind::kText:
        return "text";
      default:
        return quoted(token.text.substr(0, 40));
    }
  }
  [[noreturn]] void refuse(const std::string& text) const { refuse(token().line, text); }
  [[noreturn]] static void refuse(int line, const std::string& text) { throw SyntaxFailure{line, text}; }

  class Deeper {
   public:
    Deeper(const ExpressionParser& parser, int& depth, int most, const char* what) : depth_(depth) {
      if (depth_ >= most) parser.refuse(std::string(what) + " nest deeper than " + std::to_string(most));
      ++depth_;
    }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;
    ~Deeper() { --depth_; }

   private:
    int& depth_;
  };
  // Parentheses pass three of these.
  Deeper deeper() { return {*this, depth_, 3 * kMaxExpressionDepth, "expressions"}; }

  Expr& make(ExprKind kind, int line, std::vector<const Expr*> parts = {}) {
    syntax_.exprs.push_back(Expr{kind, line});
    Expr& made = syntax_.exprs.back();
    made.parts = std::move(parts);
    for (const Expr* part : made.parts) nest(made, part);
    return made;
  }
  static void nest(Expr& outer, const Expr* inner) {
    if (inner == nullptr) return;
    outer.depth = std::max(outer.depth, inner->depth + 1);
    if (outer.depth > kMaxExpressionDepth)
      refuse(outer.line, "expressions nest deeper than " + std::to_string(kMaxExpressionDepth));
  }
  Expr& constant(int line, Constant value) {
    Expr& made = make(ExprKind::kConstant, line);
    made.constant = std::move(value);
    return made;
  }
  Stmt& statement(StmtKind kind) {
    syntax_.stmts.push_back(Stmt{kind, token().line});
    return syntax_.stmts.back();
  }

  // Expressions, from the loosest level to the tightest.
  bool ends_tuple(Names ends) const;
  const Expr* tuple(Names ends, bool with_condition = true, bool in_parentheses = false);
  const Expr* expression(bool with_condition = true);
  template <class Next>
  const Expr* joined(std::string_view word, ExprKind kind, Next next) {
    const int line = token().line;
    std::vector<const Expr*> parts{next()};
    while (take_name(word)) parts.push_back(next());
    return parts.size() == 1 ? parts[0] : &make(kind, line, std::move(parts));
  }
  const Expr* either();
  const Expr* both();
  const Expr* negation();
  std::optional<Operation> comparing();
  const Expr* comparison();
  using Symbols = std::initializer_list<std::pair<std::string_view, Operation>>;
  template <class Next>
  const Expr* operated(Symbols symbols, Next next) {
    const Expr* left = next();
    for (;;) {
      const auto found =
          std::find_if(symbols.begin(), symbols.end(), [&](const auto& one) { return is_symbol(one.first); });
      if (found == symbols.end()) return left;
      const int line = take().line;
      Expr& made = make(ExprKind::kOperation, line, {left, next()});
      made.operations = {found->second};
      left = &made;
    }
  }
  const Expr* sum();
  const Expr* concatenation();
  const Expr* product();
  const Expr* power();
  const Expr* unary(bool with_filter);
  const Expr* primary();
  std::vector<const Expr*> items(std::string_view end, bool are_pairs);
  static std::string plain_digits(std::string_view text);
  static std::int64_t integer(const Token& token);
  static double real(const Token& token);
  const Expr* postfix(const Expr* made);
  const Expr* member(const Expr* of, int line);
  const Expr* subscript(const Expr* of, int line);
  void arguments(Expr& of);
  const Expr* call(const Expr* callee);
  std::string dotted_name();
  /// Filters and tests as long as they come.
  const Expr* filtered(const Expr* made);
  const Expr* filters(const Expr* made, bool starts_inline = false);
  const Expr* test(const Expr* made);

  static bool contains(Names names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  }
  static bool is_constant(std::string_view name) {
    return contains({"true", "false", "none", "True", "False", "None"}, name);
  }

  Syntax& syntax_;
  const std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int depth_ = 0;
  Scopes scopes_;
};

}  // namespace trireme::data::jinja
