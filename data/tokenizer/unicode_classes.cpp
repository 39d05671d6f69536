#include "data/tokenizer/unicode_classes.h"

#include <algorithm>

#include "core/base/error.h"

namespace trireme::data {
namespace {

struct CodeRange {
  char32_t first, last;
};
#include "data/tokenizer/unicode_classes.inc"

}  // namespace

const UnicodeClasses& UnicodeClasses::get() {
  static const UnicodeClasses table;
  return table;
}

UnicodeClasses::UnicodeClasses() {
  std::vector<CharClass> all(0x110000, CharClass::kOther);
  const auto mark = [&](const auto& ranges, CharClass kind) {
    for (const CodeRange range : ranges) std::fill(all.begin() + range.first, all.begin() + range.last + 1, kind);
  };
  mark(kLetterRanges, CharClass::kLetter);
  mark(kNumberRanges, CharClass::kNumber);
  mark(kSpaceRanges, CharClass::kSpace);

  std::copy_n(all.begin(), ascii_.size(), ascii_.begin());
  Block block;
  for (std::size_t i = 0; i < block_of_.size(); ++i) {
    std::copy_n(all.begin() + static_cast<std::ptrdiff_t>(i * 256), 256, block.begin());
    const auto known = std::find(blocks_.begin(), blocks_.end(), block);
    block_of_[i] = static_cast<std::uint8_t>(known - blocks_.begin());
    if (known == blocks_.end()) blocks_.push_back(block);
  }
  if (blocks_.size() > 256) throw Error(ErrorCode::kBug, "unicode classes need ", blocks_.size(), " blocks, 256 fit");
}

CharStep UnicodeClasses::step(std::string_view text) const {
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
