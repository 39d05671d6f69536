#pragma once
#include <cstdint>
#include <string_view>

#include "core/base/random.h"

namespace trireme::data {

/// The order of a corpus' training samples: a pure function of (seed, sample number), so that any number of ranks reads
/// the same stream and can resume anywhere in it.
///
/// Sample n belongs to epoch n / windows. An epoch cuts the row of tokens into windows of `sequence_length` predictions
/// from a starting point keyed by (seed, epoch), and visits them in the order of a permutation keyed likewise (a
/// Feistel network with cycle walking: no table).
class SampleOrder {
 public:
  /// @param name  orders of other names are independent
  /// @throws Error kBadInput when the corpus holds fewer than sequence_length + 1 tokens
  SampleOrder(std::uint64_t seed, std::int64_t corpus_tokens, std::int64_t sequence_length,
              std::string_view name = "samples");

  /// The same of whole documents, all of them in each epoch: begin_of() is the index of one.
  static SampleOrder of_documents(std::uint64_t seed, std::int64_t documents, std::string_view name = "samples");

  /// First token of sample `number`; it spans sequence_length + 1 tokens.
  std::int64_t begin_of(std::int64_t number) const;
  std::int64_t windows_per_epoch() const { return windows_; }

 private:
  SampleOrder(std::uint64_t seed, std::string_view name) : random_(seed, name), tokens_(0), length_(1), windows_(0) {}
  std::uint64_t permuted(std::uint64_t value, unsigned half_bits, std::uint64_t epoch) const;

  RandomStream random_;
  std::int64_t tokens_, length_, windows_;
};

}  // namespace trireme::data
