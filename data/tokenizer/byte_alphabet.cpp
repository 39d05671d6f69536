#include "data/tokenizer/byte_alphabet.h"

#include <array>

#include "data/tokenizer/aligned_text.h"

namespace trireme::data {
namespace {

constexpr bool stands_for_itself(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD && byte <= 0xFF);
}

struct Alphabet {
  std::array<char16_t, 256> character{};
  std::array<std::int16_t, 0x144> byte{};  // by character; -1: none

  constexpr Alphabet() {
    byte.fill(-1);
    char16_t next = 0x100;
    for (unsigned value = 0; value < 256; ++value) {
      character[value] = stands_for_itself(value) ? static_cast<char16_t>(value) : next++;
      byte[character[value]] = static_cast<std::int16_t>(value);
    }
  }
};
constexpr Alphabet kAlphabet;

}  // namespace

char32_t alphabet_character(unsigned char byte) { return kAlphabet.character[byte]; }

std::string spell_bytes(std::string_view bytes) {
  std::string spelling;
  spelling.reserve(bytes.size() * 2);
  for (const char byte : bytes) {
    const char16_t character = kAlphabet.character[static_cast<unsigned char>(byte)];
    if (character < 0x80) {
      spelling += static_cast<char>(character);
    } else {
      spelling += static_cast<char>(0xC0 | character >> 6);
      spelling += static_cast<char>(0x80 | (character & 0x3F));
    }
  }
  return spelling;
}

std::optional<std::string> unspell_bytes(std::string_view spelling) {
  std::string bytes;
  bytes.reserve(spelling.size());
  for (std::size_t i = 0; i < spelling.size(); ++i) {
    unsigned character = static_cast<unsigned char>(spelling[i]);
    if (character >= 0x80) {
      if (character < 0xC2 || character > 0xDF || i + 1 == spelling.size()) return std::nullopt;
      const unsigned low = static_cast<unsigned char>(spelling[++i]);
      if (low < 0x80 || low > 0xBF) return std::nullopt;
      character = (character & 0x1F) << 6 | (low & 0x3F);
    }
    if (character >= kAlphabet.byte.size() || kAlphabet.byte[character] < 0) return std::nullopt;
    bytes += static_cast<char>(kAlphabet.byte[character]);
  }
  return bytes;
}

void change_to_alphabet(TextChange& change, std::string_view bytes) {
  bool is_first = true;
  for (const char& byte : bytes) {
    const std::string character = spell_bytes(std::string_view(&byte, 1));
    is_first ? change.replace(character) : change.insert(character);
    is_first = false;
  }
}

}  // namespace trireme::data
