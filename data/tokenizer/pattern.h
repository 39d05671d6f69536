#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "data/tokenizer/json_reader.h"
#include "data/tokenizer/word_scanner.h"

namespace trireme::data {

/// What a tokenizer.json looks for in text: {"String": ...} or {"Regex": ...}.
///
/// Regular expressions are Oniguruma's in such files. They run on PCRE2, with its syntax where both agree; what the two
/// read differently is written anew or refused by name. Unicode's classes are those of Unicode 16. The common patterns
/// have scanners of their own (WordScanner).
///
/// A pattern from outside cannot hang: it is refused once it has taken a second of the processor and another two for
/// each million bytes. Bytes that are no UTF-8 match nothing, and are borders of the text.
class Pattern {
 public:
  /// Of `part`.pattern.
  static Pattern read(const JsonReader& reader, const nlohmann::json& part, const std::string& where);
  Pattern(Pattern&&) noexcept;
  Pattern& operator=(Pattern&&) noexcept;
  ~Pattern();

  using Match = std::function<void(std::size_t begin, std::size_t end)>;
  /// Calls `match` for each match, from left to right; they do not overlap.
  /// @throws Error kBadInput  it takes too long
  void for_each(std::string_view text, const Match& match) const;

 private:
  class Regex;
  Pattern();

  std::string literal_;
  std::optional<WordScanner> scanner_;  // of a common pattern, whose matches cover any text
  std::unique_ptr<const Regex> regex_;
};

}  // namespace trireme::data
