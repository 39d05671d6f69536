#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "data/tokenizer/pretokenizer.h"
#include "data/tokenizer/vocabulary.h"

namespace trireme::data {

struct TokenizerTraining {
  std::int64_t vocabulary_size = 0;  ///< with special tokens and the 256 bytes; text with few pairs gives fewer
  std::int64_t min_frequency = 2;    ///< a pair seen less often is not merged
  /// Beside "<|endoftext|>", as "<|fim_prefix|>": a name between bars, which no merge can spell.
  std::vector<std::string> special_tokens = {};
};

/// Learns a byte-level byte-pair encoding: documents in, the text of a tokenizer.json out. Id 0 is "<|endoftext|>",
/// then come further special tokens as given, the 256 bytes in the order of their alphabet, and the merges in the order
/// in which they were learned: the pair seen most often, of equals the one with the smallest ids.
///
/// The same merges as PyPI's tokenizers (`BpeTrainer` with ByteLevel's alphabet as initial alphabet); a test compares
/// them. Memory grows with the number of different words, not with the text. Each merge walks the words that hold its
/// pair, so a word of many megabytes makes training slow (encoding it is not).
class TokenizerTrainer {
 public:
  /// @throws Error kUsage  a vocabulary that cannot hold bytes and special tokens or is above kMaxTokenIds, a negative
  ///                      frequency, a special token of another form or given twice
  explicit TokenizerTrainer(const TokenizerTraining& training);

  /// Counts the words of one document. A special token in it is text like any other.
  void add(std::string_view document);

  /// Learns the merges. Call it once.
  std::string finish();

 private:
  TokenizerTraining training_;
  Pretokenizer pretokenizer_;
  std::unordered_map<std::string, std::uint64_t, TextHash, std::equal_to<>> words_;
};

}  // namespace trireme::data
