#pragma once
#include <string>
#include <string_view>

namespace trireme::data {

/// Sets of characters as the parts of PyPI's tokenizers know them, from a table in this tree and not from a library of
/// the machine: ids must not depend on which release of Unicode that has. char_sets.inc names the command that made it.
enum class CharSet {
  kWord,            ///< \w: letters, marks, decimal digits, connectors
  kNumeric,         ///< Nd, Nl, No
  kPunctuation,     ///< P, and all of ASCII's symbols
  kControl,         ///< what BERT's cleaning drops: Cc, Cf, Co, but tab and ends of lines; U+FFFD
  kMark,            ///< M
  kNonspacingMark,  ///< Mn
  kJoining,         ///< of one cluster with the letter before: Grapheme_Extend, SpacingMark, ZWJ
};

bool is_in(CharSet set, char32_t code);

/// The lower case of a character without regard to its place; U+0130 alone gives two.
std::u32string_view lowercase(char32_t code, char32_t (&buffer)[2]);

/// For a class of PCRE2, whose Unicode is the machine's, as \x{..}-\x{..}: the code points that came with Unicode 15
/// and 16 of a general category ("L", "Lu") or a script; all of Other_Alphabetic, Other_Lowercase and Other_Uppercase.
std::string members_of(std::string_view property);

/// The script of a name in a pattern, written as in Unicode's Scripts.txt: "han" and "Han" are Han. Empty: it is none.
std::string_view script_of_name(std::string_view name);

}  // namespace trireme::data
