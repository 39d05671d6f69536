#pragma once
#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace trireme::tune {

/// The number that a method wrote as a trial's note; nothing when the note is not one (of a trial that was enqueued).
inline std::optional<std::int64_t> note_number(std::string_view note) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(note.data(), note.data() + note.size(), number);
  if (error != std::errc() || end != note.data() + note.size() || number < 0) return std::nullopt;
  return number;
}

}  // namespace trireme::tune
