#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace trireme::data::jinja {

enum class TokenKind : std::uint8_t {
  kText,  ///< between tags, with the white space taken off that tags ask for
  kBlockBegin,
  kBlockEnd,
  kPrintBegin,
  kPrintEnd,
  kName,
  kString,  ///< with its quotes
  kInteger,
  kFloat,
  kOperator,
  kEnd,
};

struct Token {
  TokenKind kind;
  int line;
  std::string_view text;  ///< of the source
};

/// A failure at a line, of a source that is no template.
struct SyntaxFailure {
  int line;
  std::string text;
};

/// Newlines become "\n", and the last one goes: what tokens are made of.
std::string normalized_source(std::string_view source);

/// Takes a source apart as Jinja's lexer does with trim_blocks and lstrip_blocks: the newline behind a block or comment
/// goes, and so do blanks before one that starts a line, unless "+" keeps them; "-" takes all white space.
/// @param source  from normalized_source; tokens point into it
/// @throws SyntaxFailure
std::vector<Token> tokenize(std::string_view source);

/// What a string literal stands for: Python's escapes. @throws SyntaxFailure
std::string unescaped(const Token& token);

}  // namespace trireme::data::jinja
