#include "data/tokenizer/word_scanner.h"

#include <gmock/gmock.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <random>
#include <string>
#include <vector>

namespace trireme::data {
namespace {

using ::testing::ElementsAre;

std::string utf8(char32_t code) {
  std::string text;
  append_utf8(text, code);
  return text;
}

/// The reference: GPT-2's pattern run by PCRE2. \s is written out, since PCRE2 takes U+180E for white space, which
/// Unicode has not since 2013.
class Pcre2 {
 public:
  explicit Pcre2(const std::string& pattern) {
    int error = 0;
    PCRE2_SIZE offset = 0;
    code_ = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), PCRE2_UTF | PCRE2_UCP, &error,
                          &offset, nullptr);
    if (code_ == nullptr) throw std::runtime_error("pattern, at " + std::to_string(offset));
    pcre2_jit_compile(code_, PCRE2_JIT_COMPLETE);
    match_ = pcre2_match_data_create_from_pattern(code_, nullptr);
  }
  ~Pcre2() {
    pcre2_match_data_free(match_);
    pcre2_code_free(code_);
  }
  Pcre2(const Pcre2&) = delete;
  Pcre2& operator=(const Pcre2&) = delete;

  std::vector<std::string> all(const std::string& text) const {
    std::vector<std::string> found;
    for (PCRE2_SIZE at = 0; at < text.size();) {
      if (pcre2_match(code_, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at, 0, match_, nullptr) < 0) break;
      const PCRE2_SIZE* range = pcre2_get_ovector_pointer(match_);
      found.push_back(text.substr(range[0], range[1] - range[0]));
      at = range[1];
    }
    return found;
  }

 private:
  pcre2_code* code_ = nullptr;
  pcre2_match_data* match_ = nullptr;
};

constexpr const char* kSpace = R"(\t-\r \x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})";

using Style = WordScanner::Style;

std::string reference_pattern(Style style) {
  std::string pattern(WordScanner::pattern(style));
  const auto replace = [&](const std::string& what, const std::string& with) {
    for (std::size_t at = 0; (at = pattern.find(what, at)) != std::string::npos; at += with.size())
      pattern.replace(at, what.size(), with);
  };
  replace("[^\\s", "[^" + std::string(kSpace));
  replace("\\s", "[" + std::string(kSpace) + "]");
  replace("\\S", "[^" + std::string(kSpace) + "]");
  return pattern;
}

std::vector<std::string> pieces(std::string_view text, Style style = Style::kGpt2) {
  const WordScanner scanner(style);
  std::vector<std::string> found;
  while (!text.empty()) {
    const std::size_t size = scanner.first_piece(text);
    found.emplace_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return found;
}

TEST(WordScanner, SplitsWordsNumbersContractionsAndSpace) {
  EXPECT_THAT(pieces("I'm sure they'll pay 1234  dollars!'s\n\n ok  "),
              ElementsAre("I", "'m", " sure", " they", "'ll", " pay", " 1234", " ", " dollars", "!'", "s", "\n\n",
                          " ok", "  "));
}

TEST(WordScanner, KnowsTheCharactersThatPcre2Knows) {
  // What this PCRE2 does not know yet may differ: the table is newer.
  const Pcre2 letter(R"(^\p{L}$)"), number(R"(^\p{N}$)"), unknown(R"(^\p{Cn}$)"),
      space(std::string("^[") + kSpace + "]$");
  int differing = 0;
  for (char32_t code = 0; code < 0x110000; ++code) {
    if (code >= 0xD800 && code < 0xE000) continue;
    const std::string text = utf8(code);
    const CharStep step = UnicodeClasses::get().step(text);
    ASSERT_EQ(step.size, text.size());
    if (!unknown.all(text).empty()) continue;
    const CharClass expected = !letter.all(text).empty()   ? CharClass::kLetter
                               : !number.all(text).empty() ? CharClass::kNumber
                               : !space.all(text).empty()  ? CharClass::kSpace
                                                           : CharClass::kOther;
    // "$" matches before a newline at the end, so a lone newline is looked at here.
    if (code != '\n' && step.kind != expected)
      ++differing, ADD_FAILURE() << "U+" << std::hex << static_cast<unsigned>(code);
    if (differing > 10) break;
  }
}

TEST(WordScanner, EqualsPcre2OnRandomText) {
  const std::vector<std::string> tricky = {" ",
                                           " ",
                                           "  ",
                                           "\n",
                                           "\t",
                                           "\r\n",
                                           utf8(0xA0),
                                           utf8(0x3000),
                                           utf8(0x2028),
                                           utf8(0x85),
                                           utf8(0x180E),
                                           utf8(0x200B),
                                           "'",
                                           "'s",
                                           "'S",
                                           "'re",
                                           "'ll",
                                           "'l",
                                           "'v",
                                           "'LL",
                                           "'Ve",
                                           utf8(0x17F),
                                           "\r",
                                           "a",
                                           "Z",
                                           "é",
                                           utf8(0x300),
                                           "ß",
                                           "中",
                                           "文字",
                                           "1",
                                           "٣",
                                           "½",
                                           "Ⅷ",
                                           "!",
                                           "...",
                                           "-",
                                           utf8(0x1F600),
                                           utf8(0x10400),
                                           utf8(0x1D7CE),
                                           utf8(0xFEFF),
                                           std::string(1, '\0'),
                                           utf8(0x10FFFF),
                                           "\x1c"};
  for (const Style style : {Style::kGpt2, Style::kLlama3, Style::kQwen}) {
    const Pcre2 reference(reference_pattern(style));
    std::mt19937 random(7);
    for (int round = 0; round < 20000; ++round) {
      std::string text;
      for (int i = static_cast<int>(random() % 12); i >= 0; --i) text += tricky[random() % tricky.size()];
      ASSERT_EQ(pieces(text, style), reference.all(text)) << testing::PrintToString(text);
    }
  }
}

TEST(WordScanner, InvalidBytesAreAPieceOfTheirOwn) {
  EXPECT_THAT(pieces("ab \xFF\xFE cd"), ElementsAre("ab", " ", "\xFF\xFE", " cd"));
  EXPECT_THAT(pieces("a  \x80"), ElementsAre("a", "  ", "\x80"));
  EXPECT_THAT(pieces("\xE4\xB8"), ElementsAre("\xE4\xB8"));                                    // cut inside a character
  EXPECT_THAT(pieces("\xED\xA0\x80x\xC0\xAF"), ElementsAre("\xED\xA0\x80", "x", "\xC0\xAF"));  // surrogate, overlong
  EXPECT_THAT(pieces("a b\xFF"
                     "c d",
                     Style::kWhole),
              ElementsAre("a b", "\xFF", "c d"));
  for (const Style style : {Style::kLlama3, Style::kQwen}) {
    EXPECT_THAT(pieces("ab \xFF\xFE cd", style), ElementsAre("ab", " ", "\xFF\xFE", " cd"));
    EXPECT_THAT(pieces("!\xFF\n  \x80", style), ElementsAre("!", "\xFF", "\n", "  ", "\x80"));
  }
}

TEST(WordScanner, PiecesJoinToTheTextForAnyBytes) {
  std::mt19937 random(11);
  for (int round = 0; round < 2000; ++round) {
    std::string text(random() % 64, '\0');
    for (char& byte : text) byte = static_cast<char>(random());
    std::string joined;
    for (const Style style : {Style::kWhole, Style::kGpt2, Style::kLlama3, Style::kQwen}) {
      joined.clear();
      for (const std::string& piece : pieces(text, style)) {
        ASSERT_FALSE(piece.empty());
        joined += piece;
      }
      ASSERT_EQ(joined, text);
    }
  }
}

}  // namespace
}  // namespace trireme::data
