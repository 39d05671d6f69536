#pragma once
#include <cstddef>
#include <optional>
#include <string_view>

#include "data/tokenizer/unicode_classes.h"

namespace trireme::data {

/// Cuts text into words by one of the patterns that most byte-level models have, or leaves it whole. Scanners by hand,
/// since the patterns need one character of look-ahead and no backtracking: linear for any text, without a match limit
/// to run into, and about twice as fast as PCRE2's JIT on English. A test holds them against PCRE2.
///
/// A maximal run of bytes that are no UTF-8 is a piece of its own, and the text before it ends there.
class WordScanner {
 public:
  enum class Style {
    kWhole,
    kGpt2,    ///< GPT-2, GPT-NeoX, RoBERTa (Radford et al. 2019)
    kLlama3,  ///< OpenAI's cl100k_base: digits in groups of three
    kQwen,    ///< the same with single digits
  };

  explicit WordScanner(Style style = Style::kGpt2) : style_(style) {}
  /// The scanner of a regular expression that is one of these patterns, spelled as files spell it.
  static std::optional<WordScanner> of_pattern(std::string_view pattern);
  /// The pattern, for Oniguruma as for PCRE2; empty for kWhole.
  static std::string_view pattern(Style style);

  /// Bytes of the first piece of `text`, which is not empty.
  std::size_t first_piece(std::string_view text) const {
    switch (style_) {
      case Style::kGpt2:
        return gpt2_match(text);
      case Style::kLlama3:
        return cl100k_match(text, 3);
      case Style::kQwen:
        return cl100k_match(text, 1);
      case Style::kWhole:
        break;
    }
    return first_run(text);
  }

 private:
  std::size_t gpt2_match(std::string_view text) const;
  std::size_t cl100k_match(std::string_view text, int most_digits) const;
  std::size_t first_run(std::string_view text) const;
  std::size_t run_end(std::string_view text, std::size_t begin, CharClass kind) const;

  const UnicodeClasses* classes_ = &UnicodeClasses::get();
  Style style_;
};

}  // namespace trireme::data
