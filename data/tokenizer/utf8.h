#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace trireme::data {

/// A character at the head of some text.
struct Utf8Step {
  static constexpr char32_t kInvalid = 0xFFFFFFFF;

  char32_t code;       ///< kInvalid for bytes that start no well-formed UTF-8
  std::uint32_t size;  ///< bytes; of what is invalid 1, or as far as the sequence was plausible

  bool is_valid() const { return code != kInvalid; }
};

/// The character that `text` (not empty) starts with: Unicode 16, table 3-7.
inline Utf8Step utf8_step(std::string_view text) {
  const auto byte = [&](std::size_t i) -> unsigned { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xC2 || lead > 0xF4) return {Utf8Step::kInvalid, 1};
  // The allowed second byte depends on the first.
  const std::uint32_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  const unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  char32_t code = lead & (0x7Fu >> length);
  for (std::uint32_t i = 1; i < length; ++i) {
    if (i >= text.size() || byte(i) < (i == 1 ? low : 0x80u) || byte(i) > (i == 1 ? high : 0xBFu))
      return {Utf8Step::kInvalid, i};
    code = code << 6 | (byte(i) & 0x3F);
  }
  return {code, length};
}

/// The character that `text` (not empty) ends with; what is invalid comes byte by byte.
inline Utf8Step utf8_step_back(std::string_view text) {
  for (std::size_t size = 1; size <= 4 && size <= text.size(); ++size) {
    const std::string_view tail = text.substr(text.size() - size);
    if ((static_cast<unsigned char>(tail[0]) & 0xC0) == 0x80) continue;
    const Utf8Step step = utf8_step(tail);
    if (step.is_valid() && step.size == size) return step;
    break;
  }
  return {Utf8Step::kInvalid, 1};
}

inline void append_utf8(std::string& text, char32_t code) {
  if (code < 0x80) {
    text += static_cast<char>(code);
    return;
  }
  const auto tail = [&](int shift) { text += static_cast<char>(0x80 | (code >> shift & 0x3F)); };
  if (code < 0x800) {
    text += static_cast<char>(0xC0 | code >> 6);
  } else if (code < 0x10000) {
    text += static_cast<char>(0xE0 | code >> 12);
    tail(6);
  } else {
    text += static_cast<char>(0xF0 | code >> 18);
    tail(12);
    tail(6);
  }
  tail(0);
}

/// Calls `each(Utf8Step, std::string_view bytes)` for each character, in order.
template <class Each>
void for_each_character(std::string_view text, Each&& each) {
  while (!text.empty()) {
    const Utf8Step step = utf8_step(text);
    each(step, text.substr(0, step.size));
    text.remove_prefix(step.size);
  }
}

}  // namespace trireme::data
