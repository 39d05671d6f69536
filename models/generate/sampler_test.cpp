#include "models/generate/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace trireme::models {
namespace {

const std::vector<float> kScores = {1, 3, 2, 3, -1};

std::map<std::int64_t, int> counts(SamplingOptions options, int draws = 20000) {
  std::map<std::int64_t, int> seen;
  Sampler sampler(options);
  for (int position = 0; position < draws; ++position) ++seen[sampler.draw(kScores, position)];
  return seen;
}

TEST(Sampler, TemperatureZeroTakesTheHighestAndTheSmallerIdOnTies) {
  EXPECT_EQ(counts({.temperature = 0}).begin()->first, 1);
  EXPECT_EQ(counts({.temperature = 0}).size(), 1u);
  EXPECT_EQ(counts({.top_k = 1}).begin()->first, 1);
}

TEST(Sampler, DrawsWithTheProbabilitiesOfTheSoftmax) {
  const auto seen = counts({.temperature = 0.7, .seed = 5});
  double total = 0;
  for (const float score : kScores) total += std::exp(score / 0.7);
  for (std::size_t i = 0; i < kScores.size(); ++i) {
    const double p = std::exp(kScores[i] / 0.7) / total;
    const auto found = seen.find(static_cast<std::int64_t>(i));
    EXPECT_NEAR(found == seen.end() ? 0 : found->second / 20000.0, p, 5 * std::sqrt(p / 20000) + 1e-4);
  }
}

TEST(Sampler, TopKAndTopPLeaveOutTheTail) {
  EXPECT_EQ(counts({.top_k = 2}).size(), 2u);
  EXPECT_EQ(counts({.top_p = 0.5}).size(), 2u);  // 0.41 + 0.41 of the two threes
  EXPECT_EQ(counts({.top_p = 1e-9}).size(), 1u);
}

TEST(Sampler, SeedAndPositionDecide) {
  Sampler a({.seed = 1}), b({.seed = 1}), c({.seed = 2});
  int differing = 0;
  for (int position = 99; position >= 0; --position) {
    const auto drawn = a.draw(kScores, position);
    EXPECT_EQ(drawn, b.draw(kScores, position));
    differing += drawn != c.draw(kScores, position);
  }
  EXPECT_GT(differing, 10);
}

}  // namespace
}  // namespace trireme::models
