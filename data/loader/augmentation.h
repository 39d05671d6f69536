#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/base/random.h"
#include "data/tokenizer/tokenizer.h"

namespace trireme::data {

/// The keys data.token-dropout, data.fim-rate and data.fim-spm-rate; shares in [0, 1].
struct AugmentationRates {
  double token_dropout = 0;
  double fim = 0;
  double fim_spm = 0.5;
};

/// Changes training sequences at random, the same way whenever and on whatever rank a sample is read: each draw is a
/// function of (seed, sample number, place in the sequence).
///
/// **Fill in the middle** (Bavarian et al. 2022, arXiv:2207.14255): a model that reads left to right learns to fill a
/// gap from both of its sides. Of the documents in a sequence (what lies between ends of text, at the sequence's own
/// ends a part of one) a share `fim` is cut in three at two random places and put together again as
///
///     PSM   <|fim_prefix|> prefix <|fim_suffix|> suffix <|fim_middle|> middle
///     SPM   <|fim_prefix|> <|fim_suffix|> suffix <|fim_middle|> prefix middle      a share `fim_spm` of them
///
/// as in the paper and in StarCoder's training (arXiv:2305.06161). A document stays within its ends of text.
/// It grows by three tokens, so tokens fall off the end of the sequence; the last document is shortened first and
/// rearranged then, so that it is whole. Places are between tokens: the paper also cuts between characters,
/// which teaches to go on from the middle of a token, but would need each document to be encoded again.
///
/// **Token dropout**: of the tokens that the model reads, a share is replaced by another one; what it is to predict
/// stays as it is. Bowman et al. 2016, arXiv:1511.06349, section 3.1, replace them by an unknown word; here it is a
/// token drawn evenly from all that are not special (as BERT's random tokens, Devlin et al. 2019, arXiv:1810.04805,
/// section 3.1), since a vocabulary of bytes has no unknown word. Special tokens are kept: they mark borders of
/// documents.
class Augmentation {
 public:
  /// Changes nothing.
  Augmentation() = default;
  /// @param tokenizer_json  of the corpora; not read when all rates are 0
  /// @throws Error kUsage   the tokenizer lacks the tokens that fill-in-the-middle needs, by name
  Augmentation(const AugmentationRates& rates, std::uint64_t seed, const std::string& tokenizer_json);

  /// Fill in the middle, on all tokens of a sequence, the last target included.
  void rearrange(std::int64_t sample, std::vector<TokenId>& tokens) const;
  /// Token dropout, on those that the model reads.
  void drop(std::int64_t sample, std::span<std::int64_t> inputs) const;

 private:
  struct Pieces {
    std::span<const TokenId> prefix, middle, suffix;
  };
  Pieces cut(std::span<const TokenId> document, std::uint64_t sample, std::uint64_t index) const;

  AugmentationRates rates_{.fim_spm = 0};
  RandomStream fim_random_{0, ""}, dropout_random_{0, ""};
  TokenId end_of_text_ = 0, prefix_ = 0, middle_ = 0, suffix_ = 0;
  std::vector<TokenId> ordinary_;  // all that are not special
  std::vector<bool> is_special_;   // by id
};

}  // namespace trireme::data
