#pragma once
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace trireme::data::jinja {

struct Builtin;
struct Expr;

/// Arguments as a template writes them.
struct CallSyntax {
  std::vector<const Expr*> positional;
  std::vector<std::pair<std::string_view, const Expr*>> named;
  const Expr* unpacked_list = nullptr;  ///< *list
  const Expr* unpacked_dict = nullptr;  ///< **dict
};

enum class ExprKind : std::uint8_t {
  kConstant,
  kName,
  kAttribute,  ///< parts[0].name
  kItem,       ///< parts[0][parts[1]]
  kSlice,      ///< parts[0][parts[1]:parts[2]:parts[3]], where parts may be null
  kList,
  kTuple,
  kDict,  ///< keys and values take turns
  kCall,
  kFilter,  ///< parts[0] is null where a block is filtered
  kTest,
  kNot,
  kNegative,
  kPositive,
  kAnd,
  kOr,
  kConcat,
  kCompare,    ///< operands and operations between them
  kOperation,  ///< two operands and one operation
  kCondition,  ///< parts: test, then, else or null
  kMember,     ///< a namespace's member, to be set
};

enum class Operation : std::uint8_t {
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kFloorDivide,
  kModulo,
  kPower,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
  kNotIn,
};

using Constant = std::variant<std::monostate, bool, std::int64_t, double, std::string>;

struct Expr {
  ExprKind kind;
  int line;
  int depth = 1;
  std::string_view name;
  Constant constant;
  std::vector<const Expr*> parts;
  std::vector<Operation> operations;
  std::unique_ptr<CallSyntax> call;
  const Builtin* builtin = nullptr;  ///< the filter or test
};

struct Stmt;
using Body = std::vector<const Stmt*>;

struct Parameter {
  std::string_view name;
  const Expr* otherwise;  ///< null: undefined
};

enum class StmtKind : std::uint8_t {
  kText,
  kPrint,
  kIf,
  kFor,
  kSet,
  kSetBlock,
  kWith,
  kMacro,
  kCallBlock,
  kFilterBlock,
  kGeneration,
  kBreak,
  kContinue,
};

/// A body with variables of its own. `hidden` are those that it sets and that are undefined until then, even where one
/// of the same name was passed in.
struct ScopedBody {
  Body body;
  std::vector<std::string_view> hidden;
};

struct Stmt {
  StmtKind kind;
  int line;
  std::string_view text;                               ///< text, the name of a macro
  const Expr* expr = nullptr;                          ///< what is printed, set, walked, called; a filter
  const Expr* target = nullptr;                        ///< of for and set
  const Expr* test = nullptr;                          ///< of for
  std::vector<std::pair<const Expr*, Body>> branches;  ///< of if
  Body otherwise;                                      ///< of if
  ScopedBody scoped;
  ScopedBody empty;  ///< else of for
  bool recursive = false;
  std::vector<std::pair<const Expr*, const Expr*>> bindings;  ///< of with
  std::vector<Parameter> parameters;
  bool takes_caller = false, takes_named = false,
       takes_rest = false;  ///< whether a macro reads caller, kwargs, varargs
};

/// A template as a tree. Nodes lie side by side, so that freeing a deep tree does not recurse.
struct Syntax {
  std::string source;
  std::deque<Expr> exprs;
  std::deque<Stmt> stmts;
  ScopedBody root;
};

}  // namespace trireme::data::jinja
