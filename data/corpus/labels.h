#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizer/tokenizer.h"

namespace trireme::data {

/// What a corpus says of its texts beside what they are made of: of each text, or of each of its tokens, one of these;
/// or which of its tokens are answers, which a model is to learn to give. Preferences are answers in pairs: a text that
/// is preferred, and the one that it is preferred to behind it.
struct Labels {
  enum class Of { kNothing, kTexts, kTokens, kAnswers, kPreferences };
  static constexpr std::size_t kMost = 1 << 16;

  Of of = Of::kNothing;
  std::vector<std::string> names;

  bool any() const { return of != Of::kNothing; }
  /// Whether tokens are to be learnt, else names of labels.
  bool of_answers() const { return of == Of::kAnswers || of == Of::kPreferences; }
  bool operator==(const Labels&) const = default;
};

/// "texts", "tokens", "answers", "preferences" or "nothing".
std::string_view name_of(Labels::Of of);

/// One text of a labelled corpus.
struct LabelledText {
  std::vector<TokenId> ids;
  /// By number: of the text, or of each token, where -1 says that it has none. Of answers: the token itself, or -1.
  std::vector<std::int64_t> labels;
};

/// How a labelled text lies in the row of tokens: a label is an id behind those of the tokenizer. Its ids come first;
/// behind them its label, or as many labels as it has tokens, in which the id behind all labels stands for none. Tokens
/// of answers are ids behind those of the tokenizer themselves, in the same order.
struct LabelStorage {
  std::int64_t token_ids = 0;  ///< ids below stand for tokens
  Labels labels;

  /// Ids in all, an end of text that is none of the tokens left out.
  std::int64_t ids() const;
  std::vector<TokenId> row(const LabelledText& text) const;
  /// And back. @throws Error kCorrupt naming `origin` for what cannot be such a row
  LabelledText text(std::vector<TokenId> row, const std::string& origin) const;
};

}  // namespace trireme::data
