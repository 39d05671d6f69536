#include "data/tokenizer/char_sets.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <memory>

namespace trireme::data {
namespace {

struct CodeRange {
  char32_t first, last;
};
struct CaseRun {
  char32_t first, last;
  std::int32_t step, difference;
};
struct PropertyMembers {
  std::string_view property;
  char32_t first, last;
};
#include "data/tokenizer/char_sets.inc"

constexpr std::size_t kSets = 7, kCodes = 0x110000;

/// A byte a code point: which sets it is in. What is above plane 3 has few and regular ones.
class Table {
 public:
  static const Table& get() {
    static const Table table;
    return table;
  }

  bool is_in(CharSet set, char32_t code) const { return code < kCodes && (sets_[code] >> static_cast<int>(set) & 1); }

 private:
  Table() : sets_(new std::uint8_t[kCodes]()) {
    const auto mark = [&](const auto& ranges, CharSet set) {
      for (const CodeRange range : ranges)
        for (char32_t code = range.first; code <= range.last; ++code)
          sets_[code] |= static_cast<std::uint8_t>(1u << static_cast<int>(set));
    };
    mark(kWordRanges, CharSet::kWord);
    mark(kNumericRanges, CharSet::kNumeric);
    mark(kPunctuationRanges, CharSet::kPunctuation);
    mark(kControlRanges, CharSet::kControl);
    mark(kMarkRanges, CharSet::kMark);
    mark(kNonspacingMarkRanges, CharSet::kNonspacingMark);
    mark(kJoiningRanges, CharSet::kJoining);
    static_assert(kSets <= 8);
  }

  std::unique_ptr<std::uint8_t[]> sets_;
};

}  // namespace

bool is_in(CharSet set, char32_t code) { return Table::get().is_in(set, code); }

std::u32string_view lowercase(char32_t code, char32_t (&buffer)[2]) {
  buffer[0] = code;
  if (code < 0x80) {
    if (code >= 'A' && code <= 'Z') buffer[0] = code + 32;
    return {buffer, 1};
  }
  if (code == 0x130) {
    buffer[0] = 'i', buffer[1] = 0x307;
    return {buffer, 2};
  }
  const auto run = std::ranges::lower_bound(kLowercase, code, {}, &CaseRun::last);
  if (run != std::end(kLowercase) && code >= run->first &&
      (code - run->first) % static_cast<std::uint32_t>(run->step) == 0)
    buffer[0] = static_cast<char32_t>(static_cast<std::int32_t>(code) + run->difference);
  return {buffer, 1};
}

std::string members_of(std::string_view property) {
  std::string ranges;
  for (const PropertyMembers& those : kPropertyMembers) {
    const bool is_of = property.size() == 1 ? those.property.size() == 2 && those.property.starts_with(property)
                                            : those.property == property;
    if (!is_of) continue;
    char text[40];
    std::snprintf(text, sizeof text, "\\x{%X}-\\x{%X}", static_cast<unsigned>(those.first),
                  static_cast<unsigned>(those.last));
    ranges += text;
  }
  return ranges;
}

std::string_view script_of_name(std::string_view name) {
  const auto bare = [](std::string_view text) {
    std::string letters;
    for (const char c : text)
      if (c != ' ' && c != '-' && c != '_') letters += c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    return letters;
  };
  const std::string wanted = bare(name);
  const auto* const found = std::ranges::find(kScripts, wanted, bare);
  return found == std::end(kScripts) ? std::string_view() : *found;
}

}  // namespace trireme::data
