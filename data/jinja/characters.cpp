#include "data/jinja/characters.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "data/tokenizer/utf8.h"

namespace trireme::data::jinja {
namespace {

struct Row {
  std::uint32_t first;
  std::uint16_t classes;
  std::int32_t upper, lower, title;
};
struct Expansion {
  std::uint32_t code;
  const char* text;
};
#include "data/jinja/characters.inc"

const Row& find_row(char32_t code) {
  return *std::prev(std::upper_bound(std::begin(kRows), std::end(kRows), code,
                                     [](char32_t value, const Row& row) { return value < row.first; }));
}

const Row& row_of(char32_t code) {
  static const auto kAscii = [] {
    std::array<const Row*, 128> rows{};
    for (char32_t ascii = 0; ascii < rows.size(); ++ascii) rows[ascii] = &find_row(ascii);
    return rows;
  }();
  return code < kAscii.size() ? *kAscii[code] : find_row(code);
}

template <std::size_t N>
void append_mapped(std::string& text, char32_t code, std::int32_t distance, const Expansion (&expansions)[N]) {
  if (code >= 0x80) {
    const auto* found =
        std::lower_bound(std::begin(expansions), std::end(expansions), code,
                         [](const Expansion& expansion, char32_t value) { return expansion.code < value; });
    if (found != std::end(expansions) && found->code == code) {
      text += found->text;
      return;
    }
  }
  append_utf8(text, static_cast<char32_t>(static_cast<std::int32_t>(code) + distance));
}

void append_upper(std::string& text, char32_t code) { append_mapped(text, code, row_of(code).upper, kUpperOf); }
void append_title(std::string& text, char32_t code) { append_mapped(text, code, row_of(code).title, kTitleOf); }

// A capital sigma is small otherwise at the end of a word.
bool is_final_sigma(std::string_view before, std::string_view after) {
  bool behind_letter = false;
  while (!before.empty()) {
    const Utf8Step step = utf8_step_back(before);
    if (!has_class(step.code, kIgnorable)) {
      behind_letter = has_class(step.code, kCased);
      break;
    }
    before.remove_suffix(step.size);
  }
  if (!behind_letter) return false;
  while (!after.empty()) {
    const Utf8Step step = utf8_step(after);
    if (!has_class(step.code, kIgnorable)) return !has_class(step.code, kCased);
    after.remove_prefix(step.size);
  }
  return true;
}

// Runs of ignorable characters around many sigmas would be walked again for each.
constexpr std::size_t kSigmaContext = 256;

void append_lower(std::string& text, char32_t code, std::string_view all, std::size_t at, std::size_t size) {
  if (code == U'Σ') {
    std::size_t first = at > kSigmaContext ? at - kSigmaContext : 0;
    while (first < at && (static_cast<unsigned char>(all[first]) & 0xC0) == 0x80) ++first;
    append_utf8(text,
                is_final_sigma(all.substr(first, at - first), all.substr(at + size, kSigmaContext)) ? U'ς' : U'σ');
    return;
  }
  append_mapped(text, code, row_of(code).lower, kLowerOf);
}

template <class Each>
void walk(std::string_view text, Each&& each) {
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Step step = utf8_step(text.substr(at));
    each(step.is_valid() ? step.code : U'\uFFFD', at, step.size);
    at += step.size;
  }
}

}  // namespace

bool has_class(char32_t code, unsigned classes) { return (row_of(code).classes & classes) != 0; }

bool all_have_class(std::string_view text, unsigned classes) {
  bool all = !text.empty();
  for_each_character(text, [&](Utf8Step step, std::string_view) { all = all && has_class(step.code, classes); });
  return all;
}

std::size_t count_characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }));
}

std::size_t byte_of_character(std::string_view text, std::size_t character, bool is_ascii) {
  if (is_ascii) return std::min(character, text.size());
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    if ((static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) continue;
    if (character-- == 0) break;
  }
  return at;
}

std::string to_upper(std::string_view text) {
  std::string mapped;
  walk(text, [&](char32_t code, std::size_t, std::size_t) { append_upper(mapped, code); });
  return mapped;
}

std::string to_lower(std::string_view text) {
  std::string mapped;
  walk(text, [&](char32_t code, std::size_t at, std::size_t size) { append_lower(mapped, code, text, at, size); });
  return mapped;
}

std::string to_title(std::string_view text) {
  std::string mapped;
  bool behind_letter = false;
  walk(text, [&](char32_t code, std::size_t at, std::size_t size) {
    if (behind_letter)
      append_lower(mapped, code, text, at, size);
    else
      append_title(mapped, code);
    behind_letter = has_class(code, kCased);
  });
  return mapped;
}

std::string capitalize(std::string_view text) {
  std::string mapped;
  walk(text, [&](char32_t code, std::size_t at, std::size_t size) {
    if (at == 0)
      append_title(mapped, code);
    else
      append_lower(mapped, code, text, at, size);
  });
  return mapped;
}

std::string swap_case(std::string_view text) {
  std::string mapped;
  walk(text, [&](char32_t code, std::size_t at, std::size_t size) {
    if (has_class(code, kUpper))
      append_lower(mapped, code, text, at, size);
    else if (has_class(code, kLower))
      append_upper(mapped, code);
    else
      append_utf8(mapped, code);
  });
  return mapped;
}

namespace {
bool has_only_case(std::string_view text, unsigned wanted, unsigned others) {
  bool found = false, other = false;
  for_each_character(text, [&](Utf8Step step, std::string_view) {
    const bool is_wanted = has_class(step.code, wanted);
    found = found || is_wanted;
    other = other || (!is_wanted && has_class(step.code, others));  // a capital alone is in title case too
  });
  return found && !other;
}
}  // namespace

bool is_lower(std::string_view text) { return has_only_case(text, kLower, kUpper | kTitle); }
bool is_upper(std::string_view text) { return has_only_case(text, kUpper, kLower | kTitle); }

bool is_title(std::string_view text) {
  bool found = false, behind_letter = false, holds = true;
  for_each_character(text, [&](Utf8Step step, std::string_view) {
    const bool large = has_class(step.code, kUpper | kTitle), small = has_class(step.code, kLower);
    if (large) holds = holds && !behind_letter;
    if (small) holds = holds && behind_letter;
    behind_letter = large || small;
    found = found || large || small;
  });
  return found && holds;
}

int decimal_value(char32_t code) {
  const Row& row = row_of(code);
  return (row.classes & kDecimal) != 0 ? static_cast<int>((code - row.first) % 10) : -1;
}

std::string_view strip_left(std::string_view text) {
  while (!text.empty()) {
    const Utf8Step step = utf8_step(text);
    if (!has_class(step.code, kSpace)) break;
    text.remove_prefix(step.size);
  }
  return text;
}

std::string_view strip_right(std::string_view text) {
  while (!text.empty()) {
    const Utf8Step step = utf8_step_back(text);
    if (!has_class(step.code, kSpace)) break;
    text.remove_suffix(step.size);
  }
  return text;
}

std::vector<std::pair<std::string_view, std::string_view>> split_lines(std::string_view text) {
  const auto ends_line = [](char32_t code) {
    return (code >= 0x0A && code <= 0x0D) || (code >= 0x1C && code <= 0x1E) || code == 0x85 || code == 0x2028 ||
           code == 0x2029;
  };
  std::vector<std::pair<std::string_view, std::string_view>> lines;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Step step = utf8_step(text.substr(at));
    std::size_t behind = at + step.size;
    if (ends_line(step.code)) {
      if (step.code == '\r' && behind < text.size() && text[behind] == '\n') ++behind;
      lines.emplace_back(text.substr(begin, at - begin), text.substr(begin, behind - begin));
      begin = behind;
    }
    at = behind;
  }
  if (begin < text.size()) lines.emplace_back(text.substr(begin), text.substr(begin));
  return lines;
}

std::string quoted(std::string_view text) {
  const bool doubled = text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos;
  const char quote = doubled ? '"' : '\'';
  std::string shown(1, quote);
  const auto hex = [&](char letter, char32_t code, int digits) {
    shown += '\\';
    shown += letter;
    while (digits-- > 0) shown += "0123456789abcdef"[code >> (4 * digits) & 0xF];
  };
  for_each_character(text, [&](Utf8Step step, std::string_view bytes) {
    const char32_t code = step.code;
    if (code == static_cast<unsigned char>(quote) || code == '\\') {
      shown += '\\';
      shown += bytes;
    } else if (code == '\n') {
      shown += "\\n";
    } else if (code == '\r') {
      shown += "\\r";
    } else if (code == '\t') {
      shown += "\\t";
    } else if (has_class(code, kPrintable)) {
      shown += bytes;
    } else if (code <= 0xFF) {
      hex('x', code, 2);
    } else if (code <= 0xFFFF) {
      hex('u', code, 4);
    } else {
      hex('U', code, 8);
    }
  });
  return shown + quote;
}

}  // namespace trireme::data::jinja
