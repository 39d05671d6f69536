#include "data/tokenizer/normal_form.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/tokenizer/char_sets.h"
#include "data/tokenizer/utf8.h"

namespace trireme::data {
namespace {

struct CodeRange {
  char32_t first, last;
};

// What got a decomposition after Unicode 11.
constexpr std::array kNewer = {CodeRange{0x32FF, 0x32FF},   CodeRange{0xA7F1, 0xA7F4},   CodeRange{0xAB69, 0xAB69},
                               CodeRange{0x105C9, 0x105C9}, CodeRange{0x105E4, 0x105E4}, CodeRange{0x10781, 0x107BA},
                               CodeRange{0x11383, 0x113C8}, CodeRange{0x11938, 0x11938}, CodeRange{0x16121, 0x16128},
                               CodeRange{0x16D68, 0x16D6A}, CodeRange{0x1CCD6, 0x1CCF9}, CodeRange{0x1E030, 0x1E06D},
                               CodeRange{0x1F16C, 0x1F16C}, CodeRange{0x1FBF0, 0x1FBF9}};

bool is_newer(char32_t code) {
  return std::ranges::any_of(kNewer, [&](CodeRange range) { return code >= range.first && code <= range.last; });
}

/// A character, and how it stands to the old ones: 0 in the place of one, 1 added, -n in the place of one and n behind.
struct Step {
  char32_t code;
  int change;
  int combining_class;
};

int combining_class(char32_t code) {
  if (code < 0x300 || !is_in(CharSet::kMark, code)) return 0;  // only marks have one, and newer marks have none here
  return utf8proc_get_property(static_cast<utf8proc_int32_t>(code))->combining_class;
}

std::optional<char32_t> composed(char32_t first, char32_t second) {
  if (second < 0x300) return std::nullopt;
  utf8proc_int32_t pair[2] = {static_cast<utf8proc_int32_t>(first), static_cast<utf8proc_int32_t>(second)};
  constexpr auto kOptions = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  if (utf8proc_normalize_utf32(pair, 2, kOptions) != 1 || is_newer(static_cast<char32_t>(pair[0]))) return std::nullopt;
  return static_cast<char32_t>(pair[0]);
}

// The longest of Unicode, U+FDFA, gives 18.
struct Decomposition {
  std::array<utf8proc_int32_t, 32> codes;
  std::size_t size;
};

Decomposition decomposed(char32_t code, bool compatible) {
  Decomposition result;
  result.codes[0] = static_cast<utf8proc_int32_t>(code);
  result.size = 1;
  if (is_newer(code)) return result;
  const auto options =
      static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | (compatible ? UTF8PROC_COMPAT : 0));
  int boundary = 0;
  const auto size = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(code), result.codes.data(),
                                            static_cast<utf8proc_ssize_t>(result.codes.size()), options, &boundary);
  if (size > 0 && static_cast<std::size_t>(size) <= result.codes.size()) result.size = static_cast<std::size_t>(size);
  return result;
}

}  // namespace

/// Which characters nothing happens to, whatever stands around them.
struct NormalForm::Tables {
  static constexpr char32_t kLast = 0x2FFFF;  // beyond there are but tags and variation selectors
  std::bitset<kLast + 1> inert;
  bool compatible, composes;

  explicit Tables(Kind kind)
      : compatible(kind == Kind::kNfkc || kind == Kind::kNfkd), composes(kind == Kind::kNfc || kind == Kind::kNfkc) {
    inert.set();
    for (char32_t code = 0x80; code <= kLast; ++code) {
      if (code >= 0xD800 && code < 0xE000) continue;
      if (combining_class(code) != 0) inert.reset(code);
      const Decomposition parts = decomposed(code, compatible);
      if (parts.size == 1 && parts.codes[0] == static_cast<utf8proc_int32_t>(code)) continue;
      if (!composes) {
        inert.reset(code);
        continue;
      }
      // A composed character is in its normal form; what it is made of may compose with what stands before it.
      const Decomposition canonical = decomposed(code, false);
      if (canonical.size > 1) inert.reset(static_cast<std::size_t>(canonical.codes[canonical.size - 1]));
      if (compatible && parts.size != canonical.size) inert.reset(code);
      if (!is_its_own_composition(code, canonical) || !std::ranges::equal(view(parts), view(canonical)))
        inert.reset(code);
    }
    for (char32_t jamo = 0x1161; composes && jamo <= 0x11C2; ++jamo) inert.reset(jamo);
  }

  static std::span<const utf8proc_int32_t> view(const Decomposition& parts) { return {parts.codes.data(), parts.size}; }

  static bool is_its_own_composition(char32_t code, const Decomposition& canonical) {
    if (canonical.size == 1) return canonical.codes[0] == static_cast<utf8proc_int32_t>(code);
    auto whole = static_cast<char32_t>(canonical.codes[0]);
    for (std::size_t i = 1; i < canonical.size; ++i) {
      const auto next = composed(whole, static_cast<char32_t>(canonical.codes[i]));
      if (!next) return false;
      whole = *next;
    }
    return whole == code;
  }

  bool is_inert(Utf8Step step) const { return !step.is_valid() || step.code > kLast || inert[step.code]; }

  /// Normal form of a stretch that begins with a character nothing before it reaches into.
  std::vector<Step> steps(std::string_view stretch) const;
  static std::vector<Step> recomposed(const std::vector<Step>& steps);
};

std::vector<Step> NormalForm::Tables::steps(std::string_view stretch) const {
  std::vector<Step> steps;
  std::size_t unsorted = 0;
  const auto sort = [&] {
    std::stable_sort(steps.begin() + static_cast<std::ptrdiff_t>(unsorted), steps.end(),
                     [](const Step& a, const Step& b) { return a.combining_class < b.combining_class; });
    unsorted = steps.size();
  };
  for_each_character(stretch, [&](Utf8Step step, std::string_view) {
    const Decomposition parts = decomposed(step.code, compatible);
    for (std::size_t i = 0; i < parts.size; ++i) {
      const auto code = static_cast<char32_t>(parts.codes[i]);
      const int order = combining_class(code);
      if (order == 0) sort();
      steps.push_back({code, i > 0 ? 1 : 0, order});
    }
  });
  sort();
  return composes ? recomposed(steps) : steps;
}

std::vector<Step> NormalForm::Tables::recomposed(const std::vector<Step>& steps) {
  std::vector<Step> result, waiting;
  std::optional<Step> starter;
  int last_class = 0;  // of what waits behind the starter; 0: nothing does
  const auto flush = [&] {
    if (starter) result.push_back(*starter);
    result.insert(result.end(), waiting.begin(), waiting.end());
    waiting.clear();
    last_class = 0;
  };
  for (const Step& step : steps) {
    if (!starter) {
      if (step.combining_class != 0)
        result.push_back(step);
      else
        starter = step;
      continue;
    }
    if (last_class == 0 || last_class < step.combining_class) {
      if (const auto whole = composed(starter->code, step.code)) {
        starter = Step{*whole, starter->change + step.change - 1, 0};
        continue;
      }
    }
    if (step.combining_class == 0) {
      flush();
      starter = step;
      continue;
    }
    waiting.push_back(step);
    last_class = step.combining_class;
  }
  flush();
  return result;
}

NormalForm::NormalForm(Kind kind)
    : tables_([&]() -> const Tables* {
        switch (kind) {
          case Kind::kNfc: {
            static const Tables tables(Kind::kNfc);
            return &tables;
          }
          case Kind::kNfd: {
            static const Tables tables(Kind::kNfd);
            return &tables;
          }
          case Kind::kNfkc: {
            static const Tables tables(Kind::kNfkc);
            return &tables;
          }
          case Kind::kNfkd:
            break;
        }
        static const Tables tables(Kind::kNfkd);
        return &tables;
      }()) {}

void NormalForm::apply(AlignedText& text, TextChange::Scratch& scratch) const {
  const std::string_view all = text.text();
  // Where the next stretch begins that is not inert: with the character before it, which it may join.
  const auto next_stretch = [&](std::size_t from) {
    std::size_t before = from;
    while (from < all.size()) {
      if (static_cast<unsigned char>(all[from]) < 0x80) {
        before = from++;
        continue;
      }
      const Utf8Step step = utf8_step(all.substr(from));
      if (!tables_->is_inert(step)) return std::min(before, from);
      before = step.is_valid() ? from : from + step.size;
      from += step.size;
    }
    return all.size();
  };
  std::size_t begin = next_stretch(0);
  if (begin == all.size()) return;
  TextChange change(text, scratch);
  std::string character;
  while (begin < all.size()) {
    std::size_t end = begin + utf8_step(all.substr(begin)).size;
    while (end < all.size()) {
      const Utf8Step step = utf8_step(all.substr(end));
      if (tables_->is_inert(step)) break;
      end += step.size;
    }
    change.keep(begin - change.at());
    for (const Step& step : tables_->steps(all.substr(begin, end - begin))) {
      character.clear();
      append_utf8(character, step.code);
      if (step.change > 0) {
        change.insert(character);
      } else {
        change.replace(character);
        change.skip_characters(static_cast<std::size_t>(-step.change));
      }
    }
    change.skip(end - change.at());
    begin = next_stretch(end);
  }
  change.keep(all.size() - change.at());
  change.finish();
}

}  // namespace trireme::data
