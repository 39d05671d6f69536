#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizer/aligned_text.h"

namespace trireme::data {

/// SentencePiece's compiled table of replacements ("precompiled_charsmap"): a double array (Yata et al., darts-clone)
/// over bytes, whose leaves point at texts that end with NUL.
///
/// It is used as PyPI's tokenizers use it: a cluster of characters below six bytes is looked up as one, and the
/// shortest entry that it begins with replaces all of it; else each character on its own.
class Charsmap {
 public:
  /// @param bytes  size of the array in bytes (32 bits, little-endian), the array, the texts
  /// @returns      nothing when they are no such table
  static std::optional<Charsmap> parse(std::string_view bytes);

  void apply(AlignedText& text, TextChange::Scratch& scratch) const;

 private:
  std::optional<std::string_view> replacement(std::string_view part) const;

  std::vector<std::uint32_t> array_;
  std::string texts_;
};

}  // namespace trireme::data
