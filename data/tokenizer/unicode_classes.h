#pragma once
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "data/tokenizer/utf8.h"

namespace trireme::data {

/// What GPT-2's pattern sees in a character: \p{L}, \p{N}, \s, anything else, or bytes that are no UTF-8.
enum class CharClass : std::uint8_t { kOther, kLetter, kNumber, kSpace, kInvalid };

/// A character at the head of some text: its class and how many bytes it takes.
struct CharStep {
  CharClass kind;
  std::uint32_t size;
};

/// Classes of all code points, from a table in this tree and not from a library of the machine: Unicode grows, and the
/// ids of a text must not depend on which release of PCRE2 or ICU a machine has. The table is that of PyPI's
/// tokenizers (Unicode 16); unicode_classes.inc names the command that made it.
class UnicodeClasses {
 public:
  /// The one table; made at the first call, in a millisecond or two.
  static const UnicodeClasses& get();

  CharClass of(char32_t code) const { return blocks_[block_of_[code >> 8]][code & 0xFF]; }
  CharClass of_ascii(unsigned char byte) const { return ascii_[byte]; }

  /// The character that `text` (not empty) starts with. Bytes that start no well-formed UTF-8 are kInvalid, of size 1
  /// or as far as the sequence was plausible.
  CharStep step(std::string_view text) const;

 private:
  UnicodeClasses();
  using Block = std::array<CharClass, 256>;
  std::array<CharClass, 128> ascii_;
  std::array<std::uint8_t, 0x1100> block_of_;  // blocks repeat: all of a script, or nothing
  std::vector<Block> blocks_;
};

// Here, since the scanner of words spends its time in it.
inline CharStep UnicodeClasses::step(std::string_view text) const {
  const auto byte = static_cast<unsigned char>(text[0]);
  if (byte < 0x80) return {ascii_[byte], 1};
  const Utf8Step step = utf8_step(text);
  return {step.is_valid() ? of(step.code) : CharClass::kInvalid, step.size};
}

inline bool is_white_space(Utf8Step step) {
  return step.is_valid() && UnicodeClasses::get().of(step.code) == CharClass::kSpace;
}

}  // namespace trireme::data
