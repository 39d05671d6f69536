#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/tokenizer/word_counts.h"

namespace trireme::data {

struct TokenizerTraining {
  std::int64_t vocabulary_size = 0;  ///< with special tokens and the 256 bytes; text with few pairs gives fewer
  std::int64_t min_frequency = 2;    ///< a pair seen less often is not merged
  /// Beside "<|endoftext|>", as "<|fim_prefix|>": a name between bars, which no merge can spell.
  std::vector<std::string> special_tokens = {};
};

/// Refuses what cannot be, before a long text is read for it.
/// @throws Error kUsage  a vocabulary that cannot hold bytes and special tokens or is above kMaxTokenIds, a negative
///                      frequency, a special token of another form or given twice
void validate(const TokenizerTraining& training);

/// Learns a byte-level byte-pair encoding: words in, the text of a tokenizer.json out. Id 0 is "<|endoftext|>", then
/// come further special tokens as given, the 256 bytes in the order of their alphabet, and the merges in the order in
/// which they were learned: the pair seen most often, of equals the one with the smallest ids.
///
/// The same merges as PyPI's tokenizers (`BpeTrainer` with ByteLevel's alphabet as initial alphabet); a test compares
/// them. Each merge walks the words that hold its pair, so a word of many megabytes makes training slow (encoding it is
/// not). A special token in the text is text like any other.
///
/// @param between_merges  called before each; may throw to end it
/// @throws Error kUsage   as validate()
std::string learn_tokenizer(
    const TokenizerTraining& training, const WordCounts& words, const std::function<void()>& between_merges = [] {});

}  // namespace trireme::data
