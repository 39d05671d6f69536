#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trireme {

/// Shortest text that reads back as the same number: 3e-4 is "3e-04", never 0.00029999999999999997.
std::string to_text(double value);

/// 1234567 -> "1.23M"; for people, not for files.
std::string count_text(double value);
/// 1536 -> "1.50 KiB"
std::string bytes_text(double bytes);
/// 3661 s -> "1h01m"
std::string duration_text(double seconds);

/// "90", "90s", "45m", "1h30m" or "2d" -> seconds; nothing for any other text.
std::optional<double> parse_duration(std::string_view text);

std::string join(const std::vector<std::string>& parts, std::string_view separator);
/// What join() gives taken apart again; one empty part for an empty text.
std::vector<std::string> split(std::string_view text, char separator);

/// The nearest of `known` by edit distance, or empty when none is near: for "did you mean".
std::string nearest(std::string_view word, const std::vector<std::string>& known);

/// What follows an unknown name in a message: "; did you mean X?" or nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& known);

/// True when `bytes` is well-formed UTF-8 (no overlong forms, surrogates or values above U+10FFFF).
bool is_utf8(std::string_view bytes);

/// Length of the longest prefix that ends on a character border: what may be printed of a growing text.
/// Bytes that can never become a character count as ended.
std::size_t complete_utf8_prefix(std::string_view bytes);

/// `bytes` with U+FFFD for what is not UTF-8, so that terminals and JSON take it. A text cut by complete_utf8_prefix
/// gives the same in pieces as in one.
std::string well_formed_utf8(std::string_view bytes);

/// The first `limit` characters of a text, for a line of a terminal: control characters become spaces, runs of white
/// space one of them, what is not UTF-8 U+FFFD, and "…" says that something was cut off.
std::string one_line(std::string_view text, std::size_t limit);

}  // namespace trireme
