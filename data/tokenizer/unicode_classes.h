#pragma once
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

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

// Here, since the pre-tokenizer spends its time in it.
inline CharStep UnicodeClasses::step(std::string_view text) const {
  const auto byte = [&](std::size_t i) -> unsigned { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {ascii_[lead], 1};
  if (lead < 0xC2 || lead > 0xF4) return {CharClass::kInvalid, 1};
  // Unicode 16, table 3-7: the allowed second byte depends on the first.
  const std::uint32_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  const unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  char32_t code = lead & (0x7Fu >> length);
  for (std::uint32_t i = 1; i < length; ++i) {
    if (i >= text.size() || byte(i) < (i == 1 ? low : 0x80u) || byte(i) > (i == 1 ? high : 0xBFu))
      return {CharClass::kInvalid, i};
    code = code << 6 | (byte(i) & 0x3F);
  }
  return {of(code), length};
}

}  // namespace trireme::data
