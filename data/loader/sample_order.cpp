#include "data/loader/sample_order.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "core/base/error.h"

namespace trireme::data {
namespace {

// From here on a window is given up so that the starting point of an epoch can take any value; 3 % are left out of an
// epoch then, others each time. Below, using every window matters more.
constexpr std::int64_t kManyWindows = 32;

// Random numbers of an epoch: its start is element 0, round r of the network takes elements from (r + 1) * 2^32 on.
constexpr std::uint64_t round_element(std::uint64_t round, std::uint64_t value) { return (round + 1) << 32 | value; }

// Eight rounds: four mix large domains (Luby and Rackoff 1988), small ones, of a few windows, need more.
constexpr std::uint64_t kRounds = 8;

}  // namespace

SampleOrder::SampleOrder(std::uint64_t seed, std::int64_t corpus_tokens, std::int64_t sequence_length,
                         std::string_view name)
    : random_(seed, name), tokens_(corpus_tokens), length_(sequence_length) {
  if (sequence_length < 1) throw Error(ErrorCode::kBadInput, "a sequence has 1 token or more, not ", sequence_length);
  if (corpus_tokens - 1 < sequence_length)
    throw Error(ErrorCode::kBadInput, "the corpus holds ", corpus_tokens, " tokens; a sequence of ", sequence_length,
                " needs one more than its length: take a shorter sequence or more text");
  windows_ = (tokens_ - 1) / length_;
  if (windows_ >= kManyWindows) --windows_;
}

SampleOrder SampleOrder::of_documents(std::uint64_t seed, std::int64_t documents, std::string_view name) {
  if (documents < 1) throw Error(ErrorCode::kBadInput, "the corpus holds no text");
  SampleOrder order(seed, name);
  order.windows_ = documents;
  order.tokens_ = documents + 1;
  return order;
}

// A permutation of [0, 4^half_bits): a Feistel network.
std::uint64_t SampleOrder::permuted(std::uint64_t value, unsigned half_bits, std::uint64_t epoch) const {
  const std::uint64_t mask = (std::uint64_t{1} << half_bits) - 1;
  std::uint64_t left = value >> half_bits, right = value & mask;
  for (std::uint64_t round = 0; round < kRounds; ++round) {
    const std::uint64_t mixed = random_.bits(round_element(round, right), epoch);
    left = std::exchange(right, (left ^ mixed) & mask);
  }
  return left << half_bits | right;
}

std::int64_t SampleOrder::begin_of(std::int64_t number) const {
  if (number < 0) throw Error(ErrorCode::kBug, "sample ", number, " does not exist");
  const auto windows = static_cast<std::uint64_t>(windows_);
  const auto epoch = static_cast<std::uint64_t>(number) / windows;

  const auto slack = static_cast<std::uint64_t>(std::min(length_ - 1, tokens_ - 1 - windows_ * length_));
  // The remainder favours low starts by less than slack / 2^64.
  const std::uint64_t start = random_.bits(0, epoch) % (slack + 1);

  // Cycle walking: the network permutes the next power of four, at most four times as many; what falls outside of the
  // windows is sent through again, and this too is a permutation (Black and Rogaway 2002).
  const auto half_bits = static_cast<unsigned>(std::bit_width(windows - 1) + 1) / 2;
  std::uint64_t window = static_cast<std::uint64_t>(number) % windows;
  do window = permuted(window, half_bits, epoch);
  while (window >= windows);
  return static_cast<std::int64_t>(start + window * static_cast<std::uint64_t>(length_));
}

}  // namespace trireme::data
