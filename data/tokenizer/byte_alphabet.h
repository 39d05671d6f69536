#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace trireme::data {

class TextChange;

/// GPT-2's byte alphabet: how tokenizer.json spells arbitrary bytes as printable text. Printable Latin-1 bytes stand
/// for themselves, the other 68 for U+0100 onwards in byte order, so a space is "Ġ" (U+0120) and a newline "Ċ"
/// (U+010A).
///
/// Source: `bytes_to_unicode` of Radford et al. 2019 (github.com/openai/gpt-2, encoder.py).

/// Bytes as tokenizer.json spells them.
std::string spell_bytes(std::string_view bytes);

/// The other way; none when a character is outside the alphabet ("▁", a real space).
std::optional<std::string> unspell_bytes(std::string_view spelling);

/// The character that stands for a byte.
char32_t alphabet_character(unsigned char byte);

/// Goes over the next character of a text, whose bytes these are, and writes what stands for each of them.
void change_to_alphabet(TextChange& change, std::string_view bytes);

}  // namespace trireme::data
