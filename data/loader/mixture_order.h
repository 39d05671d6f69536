#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace trireme::data {

/// Which corpus each sample of a mixture comes from, and which of that corpus' samples it is: a pure function of seed,
/// weights and the sample's number. Any sample is found in about log2(1 / share) steps, without a table that grows with
/// the run.
///
/// A tree forks the stream: of the first m samples that reach a fork, floor(m * p + phase) go to its lighter side,
/// where p is that side's share and the phase, in [0, 1), is keyed by the seed. So a fork is never more than one sample
/// off its share. The tree is Huffman's (1952): what is off at a fork counts at most half two forks below, hence of any
/// first n samples each corpus gets n * share to within 4. Shares are held to 2^-64, and as doubles to 2^-53 of
/// themselves: the bound holds for the first 2^50 samples.
class MixtureOrder {
 public:
  /// @param weights  above 0, one a corpus; a corpus' share is its weight over their sum
  /// @throws Error kBug for no weights or one that is not above 0
  MixtureOrder(std::uint64_t seed, std::span<const double> weights);

  struct Place {
    std::int64_t corpus, number;  ///< sample `number` of that corpus, counted from 0
    bool operator==(const Place&) const = default;
  };
  Place at(std::int64_t sample) const;

  /// How many of the first `samples` each corpus gives.
  std::vector<std::int64_t> counts(std::int64_t samples) const;

 private:
  // Nodes: 0 to corpora - 1 are the corpora, corpora + i is forks_[i]. A fork stands behind its sides, the root is
  // last.
  struct Fork {
    std::uint64_t share, phase;  // of the lighter side, in units of 2^-64
    std::int64_t lighter, heavier;
    std::int64_t to_lighter(std::int64_t samples) const;
  };

  std::int64_t corpora_;
  std::vector<Fork> forks_;
};

}  // namespace trireme::data
