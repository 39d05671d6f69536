#include "tune/sweep/command.h"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/text.h"

namespace trireme::tune {
namespace {

constexpr std::string_view kParameterPrefix = "params.";

/// A stretch of a command: text as it is, or the name between ${ and }.
struct Piece {
  bool is_macro = false;
  std::string text;
};

std::vector<Piece> pieces_of(std::string_view text) {
  std::vector<Piece> pieces;
  std::string plain;
  const auto end_plain = [&] {
    if (!plain.empty()) pieces.push_back({false, std::exchange(plain, "")});
  };
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::string_view rest = text.substr(at);
    if (rest.starts_with("${")) {
      const std::size_t end = rest.find('}');
      if (end == std::string_view::npos)
        throw Error(ErrorCode::kUsage, one_line(rest, 30), " is not closed by }; $$ stands for a dollar");
      end_plain();
      pieces.push_back({true, std::string(rest.substr(2, end - 2))});
      at += end;
    } else {
      plain += text[at];
      if (rest.starts_with("$$")) ++at;
    }
  }
  end_plain();
  return pieces;
}

std::string escaped(std::string_view plain) {
  std::string text;
  for (const char c : plain) text += c == '$' ? std::string("$$") : std::string(1, c);
  return text;
}

/// Follows how a POSIX shell quotes, as far as it takes to know whether a word may be put in at a place.
class ShellScanner {
 public:
  void pass(std::string_view text) {
    for (const char c : text) step(c);
  }
  void pass_word() { last_ = 'a'; }

  /// Nothing where a quoted word keeps its quotes; else what it would stand in.
  std::string_view obstacle() const {
    if (is_lost_) return "behind a $( or ${ in double quotes";
    if (is_comment_) return "in a comment";
    if (quote_ != '\0') return "in quotes";
    if (is_escaped_) return "behind a backslash";
    if (arithmetic_ > 0) return "in ((...))";
    if (last_ == '$') return "behind a dollar";
    return {};
  }

 private:
  void step(char c) {
    if (is_comment_) {
      is_comment_ = c != '\n';
    } else if (is_escaped_) {
      is_escaped_ = false;
    } else if (c == '\\' && quote_ != '\'') {
      is_escaped_ = true;
    } else if (quote_ != '\0') {
      // In "$(a "b")" the second quote opens once more: from here on it would take a whole shell to follow.
      is_lost_ = is_lost_ || (quote_ == '"' && last_ == '$' && (c == '(' || c == '{'));
      if (c == quote_) quote_ = '\0';
    } else {
      step_outside(c);
    }
    last_ = c;
  }

  void step_outside(char c) {
    if (c == '\'' || c == '"') quote_ = c;
    if (c == '#' && std::string_view(" \t\n;&|()").find(last_) != std::string_view::npos) is_comment_ = true;
    if (c == ')' && arithmetic_ > 0) --arithmetic_;
    if (c == '(' && arithmetic_ > 0) ++arithmetic_;
    if (c == '(' && arithmetic_ == 0 && last_ == '(') arithmetic_ = 2;
  }

  char quote_ = '\0', last_ = '\n';
  int arithmetic_ = 0;  // parentheses that are open since ((
  bool is_escaped_ = false, is_comment_ = false, is_lost_ = false;
};

// Inside of these, quotes mean something else, differently from shell to shell.
void expect_plain_shell(const std::vector<Piece>& pieces) {
  for (const Piece& piece : pieces)
    for (const std::string_view sign : {"`", "<<", "$'", "$\""})
      if (!piece.is_macro && piece.text.find(sign) != std::string::npos)
        throw Error(ErrorCode::kUsage, "values cannot be filled in safely beside ", sign,
                    ": write $(...) for `...`, or put the commands into a script and give it ${args}");
}

void expect_safe_in_shell(const std::vector<Piece>& pieces) {
  if (std::none_of(pieces.begin(), pieces.end(), [](const Piece& p) { return p.is_macro; })) return;
  expect_plain_shell(pieces);
  ShellScanner scanner;
  for (const Piece& piece : pieces) {
    if (!piece.is_macro) {
      scanner.pass(piece.text);
      continue;
    }
    const std::string_view obstacle = scanner.obstacle();
    if (!obstacle.empty())
      throw Error(ErrorCode::kUsage, "${", piece.text, "} stands ", obstacle,
                  ", but brings its own quotes: let it stand by itself");
    scanner.pass_word();
  }
}

std::string program_part(const std::string& macro, const std::string& program) {
  if (macro == "env") return "/usr/bin/env";
  return macro == "interpreter" ? "python3" : program;
}

bool is_program_part(const std::string& macro) {
  return macro == "env" || macro == "interpreter" || macro == "program";
}

void expect_known(const std::string& macro, const CommandRules& rules) {
  static const std::vector<std::string> kMacros{"args", "args_no_hyphens", "args_json", "trial", "run"};
  if (macro.starts_with(kParameterPrefix)) {
    const std::string name = macro.substr(kParameterPrefix.size());
    if (rules.space.find(name)) return;
    std::vector<std::string> names;
    for (const Dimension& dimension : rules.space.dimensions()) names.push_back(dimension.name);
    throw Error(ErrorCode::kUsage, "${", macro, "} names no parameter", did_you_mean(name, names));
  }
  if (is_program_part(macro)) {
    if (!rules.program.empty()) return;
    throw Error(ErrorCode::kUsage, "${", macro, "} needs the key program");
  }
  if (std::find(kMacros.begin(), kMacros.end(), macro) != kMacros.end()) return;
  throw Error(ErrorCode::kUsage, "unknown ${", macro, "}", did_you_mean(macro, kMacros), "; there are ${",
              join(kMacros, "}, ${"), "}, ${params.NAME} and $$ for a dollar");
}

using Quote = std::function<std::string(std::string_view)>;

std::vector<std::string> arguments(const Parameters& parameters, std::string_view hyphens) {
  std::vector<std::string> words;
  for (const Parameter& parameter : parameters)
    words.push_back(std::string(hyphens) + parameter.name + "=" + value_text(parameter.value));
  return words;
}

std::vector<std::string> macro_words(const std::string& macro, const CommandContext& context) {
  if (macro == "args") return arguments(context.parameters, "--");
  if (macro == "args_no_hyphens") return arguments(context.parameters, "");
  if (macro == "trial") return {std::to_string(context.trial)};
  if (macro == "run") return {context.run};
  if (macro == "args_json")
    return {parameters_json(context.parameters).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)};
  for (const Parameter& parameter : context.parameters)
    if (macro == std::string(kParameterPrefix) + parameter.name) return {value_text(parameter.value)};
  return {""};
}

std::string filled(const std::vector<Piece>& pieces, const CommandContext& context, const Quote& quote) {
  std::string text;
  for (const Piece& piece : pieces) {
    if (!piece.is_macro) {
      text += piece.text;
      continue;
    }
    std::vector<std::string> words = macro_words(piece.text, context);
    std::transform(words.begin(), words.end(), words.begin(), quote);
    text += join(words, " ");
  }
  return text;
}

}  // namespace

std::string shell_quoted(std::string_view text) {
  const auto is_safe = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_=./:,+@%").find(c) != std::string_view::npos;
  };
  if (!text.empty() && std::all_of(text.begin(), text.end(), is_safe)) return std::string(text);
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string checked_command(std::string_view text, const CommandRules& rules) {
  const std::vector<Piece> pieces = pieces_of(text);
  for (const Piece& piece : pieces)
    if (piece.is_macro) expect_known(piece.text, rules);
  if (rules.is_shell) expect_safe_in_shell(pieces);
  std::string checked;
  for (const Piece& piece : pieces) {
    if (!piece.is_macro) {
      checked += escaped(piece.text);
    } else if (is_program_part(piece.text)) {
      const std::string part = program_part(piece.text, rules.program);
      checked += escaped(rules.is_shell ? shell_quoted(part) : part);
    } else {
      checked += "${" + piece.text + "}";
    }
  }
  return checked;
}

std::vector<std::string> expand_command(const Sweep& sweep, const CommandContext& context) {
  if (!sweep.shell_command.empty())
    return {"/bin/sh", "-c", filled(pieces_of(sweep.shell_command), context, shell_quoted)};
  const auto as_it_is = [](std::string_view text) { return std::string(text); };
  std::vector<std::string> words;
  for (const std::string& word : sweep.command) {
    const std::vector<Piece> pieces = pieces_of(word);
    if (pieces.size() == 1 && pieces[0].is_macro) {
      const std::vector<std::string> several = macro_words(pieces[0].text, context);
      words.insert(words.end(), several.begin(), several.end());
    } else {
      words.push_back(filled(pieces, context, as_it_is));
    }
  }
  return words;
}

}  // namespace trireme::tune
