#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trireme::data::jinja {

/// What Python's str knows of characters, from a table in this tree (Unicode 14, as Python 3.11): characters.inc names
/// the command that made it. Texts are well-formed UTF-8.
enum CharClass : std::uint16_t {
  kAlpha = 1 << 0,
  kDecimal = 1 << 1,
  kDigit = 1 << 2,
  kNumeric = 1 << 3,
  kLower = 1 << 4,
  kUpper = 1 << 5,
  kTitle = 1 << 6,
  kSpace = 1 << 7,
  kPrintable = 1 << 8,
  kCased = 1 << 9,       ///< a letter, where a sigma behind it asks whether it ends a word
  kIgnorable = 1 << 10,  ///< passed over by that question
  kNamePart = 1 << 11,
  kNameStart = 1 << 12,
};

bool has_class(char32_t code, unsigned classes);

/// Whether there is a character, and all have one of the classes.
bool all_have_class(std::string_view text, unsigned classes);

std::size_t count_characters(std::string_view text);
/// The byte at which a character starts; the end for one behind the last.
std::size_t byte_of_character(std::string_view text, std::size_t character, bool is_ascii);

std::string to_upper(std::string_view text);
std::string to_lower(std::string_view text);
/// str.title(): letters behind what is no letter are large.
std::string to_title(std::string_view text);
std::string capitalize(std::string_view text);
std::string swap_case(std::string_view text);
/// str.islower(), str.isupper() and str.istitle()
bool is_lower(std::string_view text);
bool is_upper(std::string_view text);
bool is_title(std::string_view text);

/// What a decimal digit of any script counts, -1 for other characters: all come in runs from 0 to 9.
int decimal_value(char32_t code);

/// White space of Unicode at the ends is no part of what they give.
std::string_view strip_left(std::string_view text);
std::string_view strip_right(std::string_view text);

/// str.splitlines(): lines without and with their ends.
std::vector<std::pair<std::string_view, std::string_view>> split_lines(std::string_view text);

/// repr(text)
std::string quoted(std::string_view text);

}  // namespace trireme::data::jinja
