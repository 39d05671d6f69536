#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/base/error.h"
#include "data/corpus/testing.h"
#include "data/loader/loader.h"

namespace trireme::data {
namespace {

using testing::bytes_tokenizer;
using testing::TemporaryDirectory;

constexpr std::int64_t kLength = 6, kTexts = 37;

// Text i: i, i, ..., of 1 to 9 tokens; its label, or that of each second token, is i % 3.
LabelledText text_of(std::int64_t i, Labels::Of of) {
  LabelledText text;
  text.ids.assign(static_cast<std::size_t>(1 + i % 9), static_cast<TokenId>(i));
  if (of == Labels::Of::kTexts)
    text.labels = {i % 3};
  else
    for (std::size_t t = 0; t < text.ids.size(); ++t) text.labels.push_back(t % 2 ? -1 : i % 3);
  return text;
}

void write(const std::filesystem::path& path, Labels::Of of, const std::vector<std::string>& names = {"a", "b", "c"}) {
  const Tokenizer tokenizer = bytes_tokenizer();
  CorpusWriter writer(path, &tokenizer, 257, {of, names});
  for (std::int64_t i = 0; i < kTexts; ++i)
    writer.add(Split::kTraining, writer.label_storage().row(text_of(i, of)), i + 1);
  writer.finish();
}

class LabelledLoader : public ::testing::TestWithParam<std::tuple<Labels::Of, bool>> {};

TEST_P(LabelledLoader, ReadsEachTextOnceAnEpochWithItsLabelsInPlace) {
  const auto [of, first] = GetParam();
  const TemporaryDirectory directory;
  write(directory / "corpus", of);
  const TrainingStream stream({{directory / "corpus", 1}}, 5, kLength);
  EXPECT_EQ(stream.longer_texts(), 3 * 4) << "of 7, 8 and 9 tokens";
  // 37 steps of 2 micro-batches of 3: six epochs.
  Loader loader(stream, {.micro_batch = 3,
                         .micro_batches_per_step = 2,
                         .first = 0,
                         .last = 2,
                         .first_step = 0,
                         .last_step = kTexts,
                         .label_place = {.first = first}});
  std::map<std::int64_t, int> seen;
  std::set<std::vector<std::int64_t>> orders;
  std::vector<std::int64_t> order;
  for (std::int64_t step = 0; step < kTexts; ++step) {
    std::int64_t asked = 0, said = 0;
    for (int micro_batch = 0; micro_batch < 2; ++micro_batch) {
      const MicroBatch batch = loader.next();
      ASSERT_EQ(batch.lengths.size(), 3U);
      said = batch.step_targets;
      asked += static_cast<std::int64_t>(batch.targets.size()) - std::ranges::count(batch.targets, -1);
      for (std::size_t row = 0; row < 3; ++row) {
        const auto tokens = batch.tokens.begin() + static_cast<std::ptrdiff_t>(row) * kLength;
        const auto targets = batch.targets.begin() + static_cast<std::ptrdiff_t>(row) * kLength;
        const std::int64_t i = *tokens, length = std::min(kLength, 1 + i % 9);
        EXPECT_EQ(batch.lengths[row], length);
        for (std::int64_t t = 0; t < kLength; ++t) {
          EXPECT_EQ(tokens[t], t < length ? i : 0);
          const bool labelled = of == Labels::Of::kTokens ? t < length && t % 2 == 0 : t == (first ? 0 : length - 1);
          EXPECT_EQ(targets[t], labelled ? i % 3 : -1) << "text " << i << ", token " << t;
        }
        ++seen[i];
        order.push_back(i);
        if (order.size() == kTexts) {
          EXPECT_EQ(std::set(order.begin(), order.end()).size(), static_cast<std::size_t>(kTexts));
          orders.insert(std::exchange(order, {}));
        }
      }
    }
    EXPECT_EQ(asked, said) << "a mean over all labels of the step";
  }
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(kTexts));
  for (const auto& [text, times] : seen) EXPECT_EQ(times, 6) << text;
  EXPECT_EQ(orders.size(), 6U) << "each epoch in another order";
}

TEST_P(LabelledLoader, EvaluationReadsEachTextOnce) {
  const auto [of, first] = GetParam();
  const TemporaryDirectory directory;
  write(directory / "corpus", of);
  const Corpus corpus = Corpus::open(directory / "corpus", Split::kTraining);
  const EvaluationBatches batches(corpus, kLength, 4, {.first = first});
  ASSERT_EQ(batches.count(), 10);
  for (std::int64_t i = 0; i < 40; ++i) {
    const MicroBatch batch = batches.batch(i / 4);
    const auto row = static_cast<std::size_t>(i % 4);
    const auto targets = batch.targets.begin() + static_cast<std::ptrdiff_t>(row) * kLength;
    if (i >= kTexts) {
      EXPECT_EQ(std::count(targets, targets + kLength, -1), kLength) << "a row that fills the micro-batch up";
      EXPECT_EQ(batch.lengths[row], 1);
      continue;
    }
    const std::int64_t length = std::min(kLength, 1 + i % 9);
    EXPECT_EQ(batch.tokens[row * kLength], i);
    EXPECT_EQ(batch.lengths[row], length);
    EXPECT_EQ(targets[of == Labels::Of::kTokens || first ? 0 : length - 1], i % 3);
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, LabelledLoader,
                         ::testing::Combine(::testing::Values(Labels::Of::kTexts, Labels::Of::kTokens),
                                            ::testing::Bool()));

TEST(LabelledStream, ALabelStandsBeforePaddingAtTheEnd) {
  const TemporaryDirectory directory;
  const Tokenizer tokenizer = bytes_tokenizer();
  CorpusWriter writer(directory / "corpus", &tokenizer, 257, {Labels::Of::kTexts, {"a", "b"}});
  const std::vector<std::pair<std::vector<TokenId>, std::int64_t>> texts = {
      {{1, 7, 7}, 0}, {{7, 2, 7}, 1}, {{7, 7}, 0}, {{1, 2, 7, 3, 7, 7, 7, 7}, 3}, {{4}, 0}};
  for (const auto& [ids, at] : texts) writer.add(Split::kTraining, writer.label_storage().row({ids, {1}}), 1);
  writer.finish();
  const Corpus corpus = Corpus::open(directory / "corpus", Split::kTraining);
  const EvaluationBatches batches(corpus, kLength, 5, {.padding_id = 7});
  const MicroBatch batch = batches.batch(0);
  for (std::int64_t row = 0; row < 5; ++row)
    for (std::int64_t t = 0; t < kLength; ++t)
      EXPECT_EQ(batch.targets[static_cast<std::size_t>(row * kLength + t)],
                t == texts[static_cast<std::size_t>(row)].second ? 1 : -1)
          << "text " << row << ", token " << t;
}

TEST(LabelledStream, NeedsTheSameLabelsInAllOfItsCorpora) {
  const TemporaryDirectory directory;
  write(directory / "a", Labels::Of::kTexts);
  write(directory / "b", Labels::Of::kTexts, {"a", "c", "b"});
  write(directory / "c", Labels::Of::kTokens);
  for (const char* other : {"b", "c"})
    EXPECT_THROW(TrainingStream({{directory / "a", 1}, {directory / other, 1}}, 1, kLength), Error);
}

}  // namespace
}  // namespace trireme::data
