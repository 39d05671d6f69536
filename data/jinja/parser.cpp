#include "data/jinja/parser.h"

#include "data/jinja/expression_parser.h"

namespace trireme::data::jinja {
namespace {

/// Tags and what lies between them.
class Parser : ExpressionParser {
 public:
  explicit Parser(Syntax& syntax) : ExpressionParser(syntax) {}

  void run() {
    scopes_.enter(syntax_.root);
    body(syntax_.root.body, {});
    scopes_.leave();
    scopes_.finish();
  }

 private:
  // --- statements

  /// Up to a tag of `ends`, which is left to the caller with its name as the current token; to the end without any.
  void body(Body& into, Names ends) {
    for (;;) {
      switch (token().kind) {
        case TokenKind::kText:
          syntax_.stmts.push_back(Stmt{StmtKind::kText, token().line});
          syntax_.stmts.back().text = take().text;
          into.push_back(&syntax_.stmts.back());
          break;
        case TokenKind::kPrintBegin: {
          take();
          Stmt& print = statement(StmtKind::kPrint);
          print.expr = tuple({});
          if (token().kind != TokenKind::kPrintEnd) refuse("expected '}}', got " + described(token()));
          take();
          into.push_back(&print);
          break;
        }
        case TokenKind::kBlockBegin:
          take();
          if (token().kind == TokenKind::kName && contains(ends, token().text)) return;
          block(into);
          expect_block_end();
          break;
        default:
          if (ends.size() != 0) refuse("the template ends inside of a block, expected " + quoted(*(ends.end() - 1)));
          return;
      }
    }
  }
  /// The rest of a tag that opens a block, and what the block holds.
  void block_body(Body& into, Names ends) {
    const Deeper guard(*this, block_depth_, kMaxBlockDepth, "blocks");
    take_symbol(":");
    expect_block_end();
    body(into, ends);
  }

  void block(Body& into) {
    if (token().kind != TokenKind::kName) refuse("expected the name of a tag, got " + described(token()));
    const std::string_view tag = token().text;
    if (tag == "for") return into.push_back(for_loop());
    if (tag == "if") return into.push_back(condition());
    if (tag == "set") return into.push_back(assignment());
    if (tag == "macro") return into.push_back(macro());
    if (tag == "call") return into.push_back(call_block());
    if (tag == "filter") return into.push_back(filter_block());
    if (tag == "with") return into.push_back(with());
    if (tag == "generation") return into.push_back(generation());
    if (tag == "print") return print(into);
    if (tag == "break" || tag == "continue") {
      if (loops_ == 0) refuse(std::string(tag) + " stands outside of a loop");
      Stmt& made = statement(tag == "break" ? StmtKind::kBreak : StmtKind::kContinue);
      take();
      return into.push_back(&made);
    }
    if (contains({"block", "extends", "include", "import", "from", "autoescape"}, tag))
      refuse("the tag '" + std::string(tag) + "' is not supported");
    refuse("unknown tag " + quoted(tag.substr(0, 40)));
  }

  void print(Body& into) {
    take();
    for (bool is_first = true; token().kind != TokenKind::kBlockEnd; is_first = false) {
      if (!is_first) expect_symbol(",");
      Stmt& made = statement(StmtKind::kPrint);
      made.expr = expression();
      into.push_back(&made);
    }
  }

  const Stmt* for_loop() {
    Stmt& loop = statement(StmtKind::kFor);
    take();
    loop.target = target_tuple({"in"}, /*may_be_member=*/false);
    expect_name("in");
    loop.expr = tuple({"recursive"}, /*with_condition=*/false);
    if (take_name("if")) {
      scopes_.enter_expression();
      declare(*loop.target);
      loop.test = expression();
      scopes_.leave();
    }
    loop.recursive = take_name("recursive");
    ++loops_around_;
    refuse_loop_target(*loop.target);
    scopes_.enter(loop.scoped);
    scopes_.declare("loop");
    declare(*loop.target);
    ++loops_;
    block_body(loop.scoped.body, {"else", "endfor"});
    --loops_;
    scopes_.leave();
    if (take().text == "else") {
      scopes_.enter(loop.empty);
      block_body(loop.empty.body, {"endfor"});
      scopes_.leave();
      take();
    }
    --loops_around_;
    return &loop;
  }

  const Stmt* condition() {
    Stmt& made = statement(StmtKind::kIf);
    std::string_view tag;
    take();
    do {
      const Expr* test = tuple({}, /*with_condition=*/false);
      made.branches.emplace_back(test, Body{});
      scopes_.enter_branch();
      block_body(made.branches.back().second, {"elif", "else", "endif"});
      scopes_.leave_branch();
      tag = take().text;
    } while (tag == "elif");
    if (tag == "else") {
      scopes_.enter_branch();
      block_body(made.otherwise, {"endif"});
      scopes_.leave_branch();
      take();
    }
    return &made;
  }

  const Stmt* assignment() {
    Stmt& made = statement(StmtKind::kSet);
    take();
    made.target = target_tuple({}, /*may_be_member=*/true);
    if (take_symbol("=")) {
      made.expr = tuple({});
      store(*made.target);
      return &made;
    }
    store(*made.target);
    made.kind = StmtKind::kSetBlock;
    if (is_symbol("|")) made.expr = filters(nullptr);
    scopes_.enter(made.scoped);
    block_body(made.scoped.body, {"endset"});
    scopes_.leave();
    take();
    return &made;
  }

  const Stmt* with() {
    Stmt& made = statement(StmtKind::kWith);
    take();
    std::vector<const Expr*> targets;
    while (token().kind != TokenKind::kBlockEnd) {
      if (!targets.empty()) expect_symbol(",");
      targets.push_back(target_tuple({}, /*may_be_member=*/false));
      expect_symbol("=");
      made.bindings.emplace_back(targets.back(), expression());
    }
    scopes_.enter(made.scoped);
    for (const Expr* target : targets) declare(*target);
    block_body(made.scoped.body, {"endwith"});
    scopes_.leave();
    take();
    return &made;
  }

  void signature(Stmt& made) {
    expect_symbol("(");
    bool has_default = false;
    while (!is_symbol(")")) {
      if (!made.parameters.empty()) expect_symbol(",");
      const std::string_view name = any_name();
      refuse_constant(name);
      for (const Parameter& other : made.parameters)
        if (other.name == name) refuse("the parameter " + quoted(name) + " comes twice");
      if (made.parameters.size() >= kMaxArguments)
        refuse("a macro has more than " + std::to_string(kMaxArguments) + " parameters");
      scopes_.declare(name);
      made.parameters.push_back({name, nullptr});
      if (take_symbol("=")) {
        made.parameters.back().otherwise = expression();
        has_default = true;
      } else if (has_default) {
        refuse("the parameter " + quoted(name) + " needs a default, as the one before it has");
      }
    }
    expect_symbol(")");
  }

  /// A body that runs as a function: break and continue do not lead out of it.
  void function_body(Stmt& made, Names end) {
    scopes_.enter_macro(made);
    const int loops = std::exchange(loops_, 0);
    block_body(made.scoped.body, end);
    loops_ = loops;
    scopes_.leave_macro();
    take();
    for (const Parameter& parameter : made.parameters) {
      if (parameter.name == "caller" && made.takes_caller && parameter.otherwise == nullptr)
        refuse(made.line, "the parameter 'caller' of a macro needs a default");
      if (parameter.name == "caller") made.takes_caller = false;
      if (parameter.name == "kwargs") made.takes_named = false;
      if (parameter.name == "varargs") made.takes_rest = false;
    }
  }

  const Stmt* macro() {
    Stmt& made = statement(StmtKind::kMacro);
    take();
    made.text = any_name();
    refuse_constant(made.text);
    scopes_.set(made.text);
    scopes_.enter(made.scoped);
    signature(made);
    function_body(made, {"endmacro"});
    scopes_.leave();
    return &made;
  }

  const Stmt* call_block() {
    Stmt& made = statement(StmtKind::kCallBlock);
    take();
    scopes_.enter(made.scoped);
    if (is_symbol("(")) signature(made);
    const auto inner = scopes_.step_out();
    made.expr = expression();
    if (made.expr->kind != ExprKind::kCall) refuse(made.line, "expected a call, as in {% call name() %}");
    scopes_.step_in(inner);
    function_body(made, {"endcall"});
    scopes_.leave();
    return &made;
  }

  const Stmt* filter_block() {
    Stmt& made = statement(StmtKind::kFilterBlock);
    take();
    scopes_.enter(made.scoped);
    made.expr = filters(nullptr, /*starts_inline=*/true);
    block_body(made.scoped.body, {"endfilter"});
    scopes_.leave();
    take();
    return &made;
  }

  const Stmt* generation() {
    Stmt& made = statement(StmtKind::kGeneration);
    take();
    scopes_.enter(made.scoped);
    function_body(made, {"endgeneration"});
    scopes_.leave();
    return &made;
  }

  // --- targets

  void refuse_constant(std::string_view name) const {
    if (is_constant(name)) refuse("cannot assign to " + quoted(name));
  }

  const Expr* target_tuple(Names ends, bool may_be_member) {
    const int line = token().line;
    std::vector<const Expr*> parts;
    bool is_tuple = false;
    for (;;) {
      if (ends_tuple(ends)) break;
      parts.push_back(target(may_be_member));
      if (!take_symbol(",")) break;
      is_tuple = true;
    }
    if (parts.empty()) refuse("expected a name to assign to, got " + described(token()));
    return is_tuple ? &make(ExprKind::kTuple, line, std::move(parts)) : parts[0];
  }

  const Expr* target(bool may_be_member) {
    const Deeper guard = deeper();
    const int line = token().line;
    if (take_symbol("(")) {
      std::vector<const Expr*> parts;
      bool is_tuple = false;
      while (!is_symbol(")")) {
        parts.push_back(target(false));
        if (!take_symbol(",")) break;
        is_tuple = true;
      }
      expect_symbol(")");
      if (!is_tuple && parts.size() == 1) return parts[0];
      return &make(ExprKind::kTuple, line, std::move(parts));
    }
    const std::string_view name = any_name();
    refuse_constant(name);
    if (may_be_member && take_symbol(".")) {
      Expr& made = make(ExprKind::kMember, line);
      made.name = name;
      made.constant = std::string(any_name());
      return &made;
    }
    Expr& made = make(ExprKind::kName, line);
    made.name = name;
    return &made;
  }

  void declare(const Expr& target) {
    if (target.kind == ExprKind::kName) scopes_.declare(target.name);
    for (const Expr* part : target.parts) declare(*part);
  }
  void store(const Expr& target) {
    if (target.kind == ExprKind::kName) scopes_.set(target.name);
    if (target.kind == ExprKind::kMember) scopes_.read(target.name);
    refuse_loop_target(target);
    for (const Expr* part : target.parts) store(*part);
  }
  void refuse_loop_target(const Expr& target) const {
    if (target.kind == ExprKind::kName && target.name == "loop" && loops_around_ > 0)
      refuse(target.line, "cannot assign to 'loop' inside of a loop");
    for (const Expr* part : target.parts) refuse_loop_target(*part);
  }

  int block_depth_ = 0;
  int loops_ = 0;
  int loops_around_ = 0;  // also across macros
};

}  // namespace

std::unique_ptr<const Syntax> parse(std::string_view source) {
  auto syntax = std::make_unique<Syntax>();
  syntax->source = normalized_source(source);
  Parser(*syntax).run();
  return syntax;
}

}  // namespace trireme::data::jinja
