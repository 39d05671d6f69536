#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizer/aligned_text.h"
#include "data/tokenizer/json_reader.h"
#include "data/tokenizer/vocabulary.h"

namespace trireme::data {

/// What comes around a text's tokens ("<s> $A </s>"), and how wide their offsets are. tokenizer.json's post_processor
/// for one text; what it says of pairs is for others.
struct PostProcessor {
  std::vector<TokenId> prefix, suffix;

  /// White space of a token is not counted among what it stands for. Each entry is one part that says so, with
  /// whether the space before the first word was put there by the tokenizer.
  std::vector<bool> trims;

  /// @param part  null gives none
  static PostProcessor read(const JsonReader& reader, const nlohmann::json& part, const Vocabulary& vocabulary);

  /// What a token stands for, and how many white spaces it begins and ends with.
  struct LooseSpan {
    TextSpan span;
    std::int32_t leading = 0, trailing = 0;
  };
  /// @param token  as the vocabulary spells it, or the text that an added token took
  LooseSpan loose(std::string_view token, TextSpan span) const;
  /// @param text      that is encoded
  /// @param is_first  of its tokens
  TextSpan trimmed(std::string_view text, const LooseSpan& loose, bool is_first) const;
};

/// The first, or last, tokens of a text alone: what a model was trained with.
struct Truncation {
  std::int64_t most = 0;  ///< tokens, with those around them
  bool keeps_end = false;

  static std::optional<Truncation> read(const JsonReader& reader, const nlohmann::json& document);
};

}  // namespace trireme::data
