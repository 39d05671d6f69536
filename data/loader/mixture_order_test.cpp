#include "data/loader/mixture_order.h"

#include <gmock/gmock.h>

#include <cmath>
#include <numbers>
#include <numeric>

#include "core/base/error.h"
#include "core/base/random.h"

namespace trireme::data {
namespace {

std::vector<std::vector<double>> mixtures() {
  std::vector<double> zipf, fibonacci = {1, 1}, random, equal(1000, 0.1), steep;
  for (int i = 1; i <= 1000; ++i) zipf.push_back(1.0 / i);
  // The deepest tree that weights of this range give: each fork is a step of a chain.
  while (fibonacci.size() < 55) fibonacci.push_back(fibonacci.back() + fibonacci[fibonacci.size() - 2]);
  const RandomStream draw(7, "weights");
  for (std::uint64_t i = 0; i < 300; ++i) random.push_back(std::exp(8 * draw.uniform(i)));
  for (int i = 0; i < 40; ++i) steep.push_back(std::ldexp(1.0, i));
  return {{1},
          {1, 1},
          {0.7, 0.3},
          {0.1, 0.2, 0.3, 0.4},
          {std::numbers::pi, std::numbers::sqrt2, std::numbers::e, 1},
          {1e-6, 1e6},
          {1, 1e-3, 1e-3, 1e-3},
          zipf,
          fibonacci,
          random,
          equal,
          steep};
}

std::vector<double> shares_of(const std::vector<double>& weights) {
  std::vector<double> shares;
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (const double weight : weights) shares.push_back(weight / sum);
  return shares;
}

TEST(MixtureOrder, EveryPrefixHoldsEachCorpusItsShareWithinFourSamples) {
  for (const std::vector<double>& weights : mixtures()) {
    const std::vector<double> shares = shares_of(weights);
    const auto expect_shares = [&](const std::vector<std::int64_t>& counts, std::int64_t samples) {
      for (std::size_t i = 0; i < shares.size(); ++i)
        ASSERT_NEAR(static_cast<double>(counts[i]), static_cast<double>(samples) * shares[i], 4)
            << "corpus " << i << " of " << shares.size() << " after " << samples << " samples";
    };
    for (const std::uint64_t seed : {1, 2}) {
      const MixtureOrder order(seed, weights);
      std::vector<std::int64_t> counts(weights.size());
      for (std::int64_t sample = 0; sample < 5000; ++sample) {
        ++counts[static_cast<std::size_t>(order.at(sample).corpus)];
        expect_shares(counts, sample + 1);
      }
      for (std::int64_t samples = 1; samples < std::int64_t{1} << 45; samples = samples * 3 / 2 + 1)
        expect_shares(order.counts(samples), samples);
    }
  }
}

TEST(MixtureOrder, SamplesOfACorpusAreNumberedWithoutGaps) {
  for (const std::vector<double>& weights : mixtures()) {
    const MixtureOrder order(3, weights);
    for (const std::int64_t start : {std::int64_t{0}, std::int64_t{123'456'789'012}, std::int64_t{1} << 61}) {
      std::vector<std::int64_t> next = order.counts(start);
      EXPECT_EQ(std::accumulate(next.begin(), next.end(), std::int64_t{0}), start);
      for (std::int64_t sample = start; sample < start + 3000; ++sample) {
        const auto [corpus, number] = order.at(sample);
        ASSERT_EQ(number, next[static_cast<std::size_t>(corpus)]++) << "sample " << sample;
      }
      EXPECT_EQ(order.counts(start + 3000), next);
    }
  }
}

TEST(MixtureOrder, OneCorpusGivesEverySample) {
  const std::vector<double> weights = {0.3};
  for (const std::int64_t sample : {std::int64_t{0}, std::int64_t{77}, std::int64_t{1} << 62})
    EXPECT_EQ(MixtureOrder(1, weights).at(sample), (MixtureOrder::Place{0, sample}));
}

TEST(MixtureOrder, SeedsDifferInOrderAndScaledWeightsDoNot) {
  const std::vector<double> weights = {5, 3, 2}, halved = {2.5, 1.5, 1};
  const MixtureOrder one(1, weights), same(1, halved), other(2, weights);
  int equal = 0;
  for (std::int64_t sample = 1000; sample-- > 0;) {
    EXPECT_EQ(one.at(sample), same.at(sample));
    equal += one.at(sample).corpus == other.at(sample).corpus;
  }
  EXPECT_LT(equal, 900);
}

// A run of another day must read what this one read: these numbers may never change.
TEST(MixtureOrder, IsFrozen) {
  const std::vector<double> weights = {0.5, 0.3, 0.2};
  const MixtureOrder order(42, weights);
  std::vector<std::int64_t> corpora, numbers;
  for (std::int64_t sample = 1'000'000; sample < 1'000'012; ++sample) {
    corpora.push_back(order.at(sample).corpus);
    numbers.push_back(order.at(sample).number);
  }
  EXPECT_THAT(corpora, ::testing::ElementsAre(0, 1, 0, 1, 0, 2, 0, 1, 0, 2, 0, 1));
  EXPECT_THAT(numbers, ::testing::ElementsAre(500000, 300000, 500001, 300001, 500002, 200000, 500003, 300002, 500004,
                                              200001, 500005, 300003));
}

TEST(MixtureOrder, RefusesWeightsThatAreNone) {
  for (const std::vector<double>& weights : {std::vector<double>{}, {1, 0}, {1, -1}, {std::nan(""), 1}})
    EXPECT_THROW(MixtureOrder(1, weights), Error);
}

}  // namespace
}  // namespace trireme::data
