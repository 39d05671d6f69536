#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/corpus/labels.h"

namespace trireme::data {

/// The members of a line of JSON that hold a text and what it is labelled with.
struct LabelledFields {
  Labels::Of of = Labels::Of::kTexts;
  std::string text, label;
};

/// A line of JSON with a label, or one for each word or token:
///
///     {"text": "well made", "label": "good"}                              a label a text; true and 3 are labels too
///     {"text": ["EU", "rejects"], "label": ["ORG", null]}                 a label a word; null and -100: none
///     {"token_ids": [17, 4, 9], "label": ["ORG", "ORG", null]}            ids, which go before a text; a label a token
struct LabelledLine {
  std::string text;                                ///< words: with a space between them
  std::vector<std::string> words;                  ///< of labels a word
  std::optional<std::vector<TokenId>> ids;         ///< where the line has them; there is no text then
  std::vector<std::optional<std::string>> labels;  ///< as they are spelt

  /// @throws Error kBadInput naming the line, the member, and what is due
  static LabelledLine parse(std::string_view line, const LabelledFields& fields,
                            const std::function<std::string()>& place);
};

/// Numbers of labels by name.
class LabelNames {
 public:
  /// @throws Error kUsage for less than two names, too many, one given twice, or one that is not UTF-8
  explicit LabelNames(std::vector<std::string> names);
  /// Those that were found, in order: of numbers, of whole texts of digits, by value, else by bytes.
  static LabelNames found(std::vector<std::string> names);

  const std::vector<std::string>& names() const { return names_; }
  /// Of a name; where no name is a number, a number is that of a name. @throws Error kBadInput
  std::int64_t number_of(const std::string& label, const std::function<std::string()>& place) const;

 private:
  std::vector<std::string> names_;
  bool are_numbers_ = false;  // some of them
  std::map<std::string, std::int64_t, std::less<>> numbers_;
};

}  // namespace trireme::data
