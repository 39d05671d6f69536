#include "data/corpus/bigram.h"

#include <gmock/gmock.h>

#include <cmath>
#include <random>

#include "core/base/error.h"
#include "data/corpus/testing.h"

namespace trireme::data {
namespace {

using testing::TemporaryDirectory;

BigramBaseline baseline_of(const std::vector<TokenId>& training, const std::vector<TokenId>& validation) {
  const TemporaryDirectory directory;
  CorpusWriter writer(directory / "corpus", testing::bytes_tokenizer());
  writer.add(Split::kTraining, training, static_cast<std::int64_t>(training.size()));
  writer.add(Split::kValidation, validation, static_cast<std::int64_t>(validation.size()));
  writer.finish();
  return bigram_baseline(Corpus::open(directory / "corpus", Split::kTraining),
                         Corpus::open(directory / "corpus", Split::kValidation));
}

TEST(BigramBaseline, ACycleIsPredictedFromTheTokenBefore) {
  std::vector<TokenId> cycle;
  for (int i = 0; i < 50'000; ++i) cycle.push_back(i % 10);
  const BigramBaseline baseline = baseline_of(cycle, cycle);
  EXPECT_GT(baseline.weights[0], 0.99);
  EXPECT_LT(baseline.nats_per_token, 0.01);
  EXPECT_NEAR(baseline.unigram_nats_per_token, std::log(10.0), 0.02);
  EXPECT_EQ(baseline.targets, 50'000);
  EXPECT_NEAR(baseline.bits_per_byte, baseline.nats_per_token / std::log(2.0), 1e-9);  // a byte a token here
}

TEST(BigramBaseline, IndependentTokensCostTheirEntropy) {
  std::mt19937 random(1);
  std::vector<TokenId> training, validation;
  const auto draw = [&] { return static_cast<TokenId>(random() % 4 == 0 ? 1 + random() % 2 : 0); };
  for (int i = 0; i < 100'000; ++i) training.push_back(draw());
  for (int i = 0; i < 20'000; ++i) validation.push_back(draw());
  const double entropy = 0.75 * std::log(1 / 0.75) + 0.25 * std::log(8.0);
  EXPECT_NEAR(baseline_of(training, validation).nats_per_token, entropy, 0.02);
}

TEST(BigramBaseline, UnseenTokensCostMuchButNotInfinitelyMuch) {
  const std::vector<TokenId> training(10'000, 7), validation(100, 9);
  const BigramBaseline baseline = baseline_of(training, validation);
  EXPECT_NEAR(baseline.weights[0] + baseline.weights[1] + baseline.weights[2], 1, 1e-9);
  EXPECT_GT(baseline.nats_per_token, 5);
  EXPECT_LT(baseline.nats_per_token, 50);
}

TEST(BigramBaseline, NeedsAValidationSplit) {
  const TemporaryDirectory directory;
  testing::one_document_corpus(directory / "corpus", 1000);
  EXPECT_THAT(
      [&] {
        bigram_baseline(Corpus::open(directory / "corpus", Split::kTraining),
                        Corpus::open(directory / "corpus", Split::kValidation));
      },
      ::testing::ThrowsMessage<Error>(::testing::HasSubstr("encode with --validation")));
}

}  // namespace
}  // namespace trireme::data
