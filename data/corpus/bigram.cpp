#include "data/corpus/bigram.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/base/error.h"

namespace trireme::data {
namespace {

// Pairs of tokens and how often each was seen: open addressing, since std::unordered_map takes thrice the memory.
class PairCounts {
 public:
  PairCounts() : slots_(1 << 16) {}

  void add(TokenId first, TokenId second) {
    if (2 * used_ > slots_.size()) grow();
    Slot& slot = slots_[place_of(slots_, key_of(first, second))];
    used_ += slot.count == 0;
    slot.key = key_of(first, second);
    ++slot.count;
  }
  std::uint64_t of(TokenId first, TokenId second) const {
    return slots_[place_of(slots_, key_of(first, second))].count;
  }

 private:
  struct Slot {
    std::uint64_t key = 0, count = 0;  // count 0: free
  };
  static std::uint64_t key_of(TokenId first, TokenId second) {
    return static_cast<std::uint64_t>(first) << 32 | static_cast<std::uint32_t>(second);
  }
  // The slot of a pair, or the free one where it belongs.
  static std::size_t place_of(const std::vector<Slot>& slots, std::uint64_t key) {
    std::uint64_t mixed = key * 0x9E3779B97F4A7C15;
    mixed ^= mixed >> 32;
    std::size_t i = mixed & (slots.size() - 1);
    while (slots[i].count != 0 && slots[i].key != key) i = (i + 1) & (slots.size() - 1);
    return i;
  }
  void grow() {
    std::vector<Slot> larger(2 * slots_.size());
    for (const Slot& slot : slots_)
      if (slot.count != 0) larger[place_of(larger, slot.key)] = slot;
    slots_ = std::move(larger);
  }

  std::vector<Slot> slots_;
  std::size_t used_ = 0;
};

// Calls visit(previous, token) for each token of [begin, end) that has one before it in this range.
template <class Visit>
void for_each_pair(const Corpus& corpus, std::int64_t begin, std::int64_t end, Visit visit) {
  constexpr std::int64_t kChunk = 1 << 20;
  std::vector<TokenId> tokens;
  for (std::int64_t at = begin; at + 1 < end; at += kChunk) {
    tokens.resize(static_cast<std::size_t>(std::min(kChunk + 1, end - at)));  // one token is shared with the next chunk
    corpus.read(at, tokens);
    for (std::size_t i = 1; i < tokens.size(); ++i) visit(tokens[i - 1], tokens[i]);
  }
}

class Bigrams {
 public:
  explicit Bigrams(std::int64_t vocabulary)
      : as_first_(static_cast<std::size_t>(vocabulary)), as_second_(static_cast<std::size_t>(vocabulary)) {}

  void count(const Corpus& corpus, std::int64_t begin, std::int64_t end) {
    for_each_pair(corpus, begin, end, [&](TokenId first, TokenId second) {
      pairs_.add(first, second);
      ++as_first_[static_cast<std::size_t>(first)];
      ++as_second_[static_cast<std::size_t>(second)];
      ++total_;
    });
  }

  // Bigram, unigram and uniform probability of `second` behind `first`.
  std::array<double, 3> parts(TokenId first, TokenId second) const {
    const auto n = [](std::uint64_t count) { return static_cast<double>(count); };
    const double before = n(as_first_[static_cast<std::size_t>(first)]);
    return {before > 0 ? n(pairs_.of(first, second)) / before : 0,
            n(as_second_[static_cast<std::size_t>(second)]) / n(total_), 1 / n(as_second_.size())};
  }

  double smoothed_unigram(TokenId token) const {
    return static_cast<double>(as_second_[static_cast<std::size_t>(token)] + 1) /
           static_cast<double>(total_ + as_second_.size());
  }

 private:
  PairCounts pairs_;
  std::vector<std::uint64_t> as_first_, as_second_;
  std::uint64_t total_ = 0;
};

double mixture(const std::array<double, 3>& weights, const std::array<double, 3>& parts) {
  return weights[0] * parts[0] + weights[1] * parts[1] + weights[2] * parts[2];
}

// One step of expectation maximisation: each weight becomes the mean share that its part had in what was seen.
std::array<double, 3> improved(const std::array<double, 3>& weights, const std::vector<std::array<double, 3>>& seen) {
  std::array<double, 3> sums{};
  for (const auto& parts : seen) {
    const double whole = mixture(weights, parts);
    for (std::size_t k = 0; k < 3; ++k) sums[k] += weights[k] * parts[k] / whole;
  }
  for (double& sum : sums) sum /= static_cast<double>(seen.size());
  return sums;
}

}  // namespace

BigramBaseline bigram_baseline(const Corpus& training, const Corpus& validation) {
  if (training.tokens() < 20 || validation.tokens() < 2)
    throw Error(ErrorCode::kBadInput, "a baseline needs 20 training and 2 validation tokens or more, got ",
                training.tokens(), " and ", validation.tokens(),
                validation.tokens() == 0 ? "; encode with --validation" : "");
  BigramBaseline result;
  result.training_tokens = training.tokens();
  result.targets = validation.tokens() - 1;

  result.weights = {0.6, 0.3, 0.1};
  {
    // Enough for weights of a few digits, so that a large corpus does not need a large memory here.
    constexpr std::int64_t kEnough = 2'000'000;
    constexpr double kLeast = 1e-6;
    const std::int64_t held_out = training.tokens() - std::min(training.tokens() / 10, kEnough);
    Bigrams most(training.vocabulary_size());
    most.count(training, 0, held_out);
    std::vector<std::array<double, 3>> seen;
    for_each_pair(training, held_out - 1, training.tokens(),
                  [&](TokenId first, TokenId second) { seen.push_back(most.parts(first, second)); });
    for (int step = 0; step < 200; ++step) {
      const auto next = improved(result.weights, seen);
      const bool settled = std::abs(next[0] - result.weights[0]) + std::abs(next[1] - result.weights[1]) < 1e-6;
      result.weights = next;
      if (settled) break;
    }
    // A token that training never showed must keep some probability, even if the held-out part had none.
    for (double& weight : result.weights) weight = (weight + kLeast) / (1 + 3 * kLeast);
  }

  Bigrams all(training.vocabulary_size());
  all.count(training, 0, training.tokens());
  double nats = 0, unigram_nats = 0;
  for_each_pair(validation, 0, validation.tokens(), [&](TokenId first, TokenId second) {
    const auto parts = all.parts(first, second);
    nats -= std::log(mixture(result.weights, parts));
    unigram_nats -= std::log(all.smoothed_unigram(second));
  });
  result.nats_per_token = nats / static_cast<double>(result.targets);
  result.unigram_nats_per_token = unigram_nats / static_cast<double>(result.targets);
  if (validation.text_bytes() > 0)
    result.bits_per_byte = nats / std::log(2.0) / static_cast<double>(validation.text_bytes());
  return result;
}

}  // namespace trireme::data
