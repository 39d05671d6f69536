#include "core/base/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <numeric>

namespace trireme {
namespace {

std::string printf_text(const char* format, auto... values) {
  std::array<char, 64> buffer;
  const int size = std::snprintf(buffer.data(), buffer.size(), format, values...);
  return std::string(buffer.data(), static_cast<std::size_t>(std::clamp(size, 0, 63)));
}

struct Utf8Step {
  std::size_t size;  // bytes to step over
  enum { kWhole, kBad, kCut } kind;
};

// Unicode 15, table 3-7: the allowed second byte depends on the first.
Utf8Step utf8_step(std::string_view bytes) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {1, Utf8Step::kWhole};
  if (lead < 0xC2 || lead > 0xF4) return {1, Utf8Step::kBad};
  const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  const unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (std::size_t i = 1; i < length; ++i) {
    if (i >= bytes.size()) return {bytes.size(), Utf8Step::kCut};
    if (byte(i) < (i == 1 ? low : 0x80u) || byte(i) > (i == 1 ? high : 0xBFu)) return {i, Utf8Step::kBad};
  }
  return {length, Utf8Step::kWhole};
}

}  // namespace

std::string to_text(double value) {
  std::array<char, 32> buffer;
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return std::string(buffer.data(), result.ptr);
}

std::string count_text(double value) {
  constexpr std::array<const char*, 5> kUnits = {"", "k", "M", "G", "T"};
  std::size_t unit = 0;
  while (std::abs(value) >= 999.5 && unit + 1 < kUnits.size()) value /= 1000, ++unit;
  if (unit == 0) return printf_text("%.0f", value);
  return printf_text(std::abs(value) < 9.995   ? "%.2f%s"
                     : std::abs(value) < 99.95 ? "%.1f%s"
                                               : "%.0f%s",
                     value, kUnits[unit]);
}

std::string bytes_text(double bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < kUnits.size()) bytes /= 1024, ++unit;
  return printf_text(unit == 0 ? "%.0f %s" : bytes < 100 ? "%.1f %s" : "%.0f %s", bytes, kUnits[unit]);
}

std::string duration_text(double seconds) {
  if (!(seconds >= 0) || seconds > 1e9) return "?";
  if (seconds < 10) return printf_text("%.1fs", seconds);
  const long whole = std::lround(seconds);
  if (whole < 60) return printf_text("%lds", whole);
  if (whole < 3600) return printf_text("%ldm%02lds", whole / 60, whole % 60);
  if (whole < 48 * 3600) return printf_text("%ldh%02ldm", whole / 3600, whole / 60 % 60);
  return printf_text("%ldd%02ldh", whole / 86400, whole / 3600 % 24);
}

std::optional<double> parse_duration(std::string_view text) {
  constexpr std::array<std::pair<char, double>, 4> kUnits = {{{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}}};
  double seconds = 0;
  auto unit = kUnits.begin();  // larger ones come first
  const bool bare = text.find_first_not_of("0123456789") == std::string_view::npos;
  do {
    std::int64_t number = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
    // A year is beyond any limit of a job, and far from overflow.
    if (result.ec != std::errc() || number < 0 || number > 31'536'000) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(result.ptr - text.data()));
    if (bare) return static_cast<double>(number);
    unit = std::find_if(unit, kUnits.end(), [&](const auto& one) { return !text.empty() && one.first == text[0]; });
    if (unit == kUnits.end()) return std::nullopt;
    seconds += static_cast<double>(number) * (unit++)->second;
    text.remove_prefix(1);
  } while (!text.empty());
  return seconds;
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string text;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) text += separator;
    text += parts[i];
  }
  return text;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(separator, begin), text.size());
    parts.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
  std::string best;
  // A third of the word may differ: "learning-rat" is near "learning-rate", "lr" is near nothing.
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : known) {
    std::vector<std::size_t> row(candidate.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < word.size(); ++i) {
      std::size_t diagonal = row[0]++;
      for (std::size_t j = 0; j < candidate.size(); ++j) {
        const std::size_t substituted = diagonal + (word[i] == candidate[j] ? 0 : 1);
        diagonal = row[j + 1];
        row[j + 1] = std::min({substituted, row[j] + 1, row[j + 1] + 1});
      }
    }
    if (row.back() < best_distance) best_distance = row.back(), best = candidate;
  }
  if (!best.empty()) return best;
  // A key without its group: "learning-rate" for "optimizer.learning-rate".
  for (const std::string& candidate : known) {
    if (candidate.size() > word.size() && candidate.ends_with(word) &&
        candidate[candidate.size() - word.size() - 1] == '.')
      return candidate;
  }
  return best;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& known) {
  const std::string near = nearest(word, known);
  return near.empty() ? "" : "; did you mean " + near + "?";
}

bool is_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const Utf8Step step = utf8_step(bytes);
    if (step.kind != Utf8Step::kWhole) return false;
    bytes.remove_prefix(step.size);
  }
  return true;
}

std::size_t complete_utf8_prefix(std::string_view bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const Utf8Step step = utf8_step(bytes.substr(done));
    if (step.kind == Utf8Step::kCut) break;
    done += step.size;
  }
  return done;
}

std::string well_formed_utf8(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    const Utf8Step step = utf8_step(bytes);
    if (step.kind == Utf8Step::kWhole)
      text += bytes.substr(0, step.size);
    else
      text += "\xEF\xBF\xBD";
    bytes.remove_prefix(step.size);
  }
  return text;
}

std::string one_line(std::string_view text, std::size_t limit) {
  std::string line;
  std::size_t characters = 0;
  bool space = false;  // seen, and due before the next character
  while (!text.empty()) {
    const Utf8Step step = utf8_step(text);
    const std::string_view character =
        step.kind == Utf8Step::kWhole ? text.substr(0, step.size) : std::string_view("\xEF\xBF\xBD");
    text.remove_prefix(step.size);
    const unsigned char lead = static_cast<unsigned char>(character[0]);
    // U+0080 to U+009F are control characters as well; some terminals obey them.
    if (lead <= ' ' || lead == 0x7F || (lead == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0)) {
      space = !line.empty();
      continue;
    }
    const std::size_t size = characters + (space ? 1 : 0) + 1;
    if (size > limit) {  // the last character makes room
      while (!line.empty() && characters >= limit) {
        while ((line.back() & 0xC0) == 0x80) line.pop_back();
        line.pop_back();
        --characters;
      }
      return limit == 0 ? "" : line + "…";
    }
    if (space) line += ' ';
    line += character;
    characters = size;
    space = false;
  }
  return line;
}

}  // namespace trireme
