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

}  // namespace trireme::data
