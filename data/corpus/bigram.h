#pragma once
#include <array>
#include <cstdint>

#include "data/corpus/corpus.h"

namespace trireme::data {

/// What a trained model has to beat: how well a bigram model that knows the training split predicts the validation
/// split.
struct BigramBaseline {
  std::array<double, 3> weights{};  ///< of bigram, unigram and uniform distribution; they add up to 1
  std::int64_t training_tokens = 0;
  std::int64_t targets = 0;           ///< predicted: every token of the validation split but its first
  double nats_per_token = 0;          ///< mean of -ln p over them, the loss that training reports as well
  double bits_per_byte = 0;           ///< the same in all, in bits, over the split's bytes of text
  double unigram_nats_per_token = 0;  ///< of (n(b) + 1) / (n + V), which knows only how frequent tokens are
};

/// Fits p(b | a) = w0 n(ab) / n(a) + w1 n(b) / n + w2 / V on the training split. The weights come from expectation
/// maximisation on the last tenth of training (2 million tokens at most) with counts of what is before it; then all is
/// counted. Source: Jelinek and Mercer 1980, "Interpolated estimation of Markov source parameters from sparse data".
///
/// Memory: 16 bytes for every different pair of tokens, up to twice that while the table grows.
/// @throws Error kBadInput when a split has fewer than 2 tokens (training: 20), kCorrupt
BigramBaseline bigram_baseline(const Corpus& training, const Corpus& validation);

}  // namespace trireme::data
