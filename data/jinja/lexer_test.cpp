#include "data/jinja/lexer.h"

#include <gmock/gmock.h>

namespace trireme::data::jinja {
namespace {

using testing::ElementsAre;

/// Text as it is, tags by a sign.
std::vector<std::string> pieces(std::string_view source) {
  const std::string normalized = normalized_source(source);
  std::vector<std::string> found;
  for (const Token& token : tokenize(normalized)) {
    switch (token.kind) {
      case TokenKind::kBlockBegin:
      case TokenKind::kPrintBegin:
        found.emplace_back("<");
        break;
      case TokenKind::kBlockEnd:
      case TokenKind::kPrintEnd:
        found.emplace_back(">");
        break;
      case TokenKind::kEnd:
        break;
      default:
        found.emplace_back(token.text);
    }
  }
  return found;
}

TEST(Lexer, TakesTheNewlineBehindABlockAndTheBlanksBeforeIt) {
  EXPECT_THAT(pieces("a\n  {% if %}\n  b"), ElementsAre("a\n", "<", "if", ">", "  b"));
  EXPECT_THAT(pieces("a  {% if %}\n\nb"), ElementsAre("a  ", "<", "if", ">", "\nb"));
}

TEST(Lexer, LeavesWhatStandsAroundAPrint) {
  EXPECT_THAT(pieces("  {{ x }}\nb"), ElementsAre("  ", "<", "x", ">", "\nb"));
}

TEST(Lexer, MinusTakesAllWhiteSpaceAndPlusKeepsIt) {
  EXPECT_THAT(pieces("a \n {{- x -}} \n b"), ElementsAre("a", "<", "x", ">", "b"));
  EXPECT_THAT(pieces(" {%+ if +%}\nb"), ElementsAre(" ", "<", "if", ">", "\nb"));
}

TEST(Lexer, TagsInRawAreText) {
  EXPECT_THAT(pieces("{% raw %}{{ x }}{# c #}{% endraw %}"), ElementsAre("{{ x }}{# c #}"));
}

TEST(Lexer, BracesOfADictDoNotEndAPrint) {
  EXPECT_THAT(pieces("{{ {'a': {}} }}"), ElementsAre("<", "{", "'a'", ":", "{", "}", "}", ">"));
}

TEST(Lexer, CountsLinesAcrossTagsAndTakesAnyNewline) {
  const std::string source = normalized_source("a\r\n{#\r\r#}{{ x }}");
  const auto tokens = tokenize(source);
  EXPECT_EQ(tokens[2].text, "x");
  EXPECT_EQ(tokens[2].line, 4);
}

TEST(Lexer, KnowsTheFormsOfNumbers) {
  EXPECT_THAT(pieces("{{ 1_0 0x1F 1.5e-3 1.e 2e5 }}"),
              ElementsAre("<", "1_0", "0x1F", "1.5e-3", "1", ".", "e", "2e5", ">"));
}

TEST(Lexer, StringsHaveTheEscapesOfPython) {
  const auto text = [](std::string_view literal) { return unescaped({TokenKind::kString, 1, literal}); };
  EXPECT_EQ(text(R"('\n\x41\u00e9\101\q\'')"), "\nAéA\\q'");
  EXPECT_EQ(text("'\\é'"), "\\xe9");
  EXPECT_THROW(text(R"('\ud800')"), SyntaxFailure);
  EXPECT_THROW(text(R"('\x4')"), SyntaxFailure);
}

TEST(Lexer, RefusesWhatIsLeftOpen) {
  for (const char* source : {"{# c", "{% raw %} x", "{{ 'x }}", "{{ (] }}", "{{ ? }}", "{{ ) }}"})
    EXPECT_THROW(tokenize(source), SyntaxFailure) << source;
}

}  // namespace
}  // namespace trireme::data::jinja
