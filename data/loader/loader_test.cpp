#include "data/loader/loader.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <thread>

#include "core/base/error.h"
#include "data/corpus/index.h"
#include "data/corpus/testing.h"

namespace trireme::data {
namespace {

using testing::one_document_corpus;
using testing::TemporaryDirectory;
using testing::token_at;

constexpr std::int64_t kLength = 16;

TrainingStream stream_of(const std::filesystem::path& corpus) { return {{{corpus, 1}}, 5, kLength}; }

// Of a corpus of one document.
TrainingStream new_stream(const TemporaryDirectory& directory, std::int64_t tokens) {
  one_document_corpus(directory / "corpus", tokens);
  return stream_of(directory / "corpus");
}

std::vector<MicroBatch> read_all(const TrainingStream& stream, const LoaderPlan& plan) {
  Loader loader(stream, plan);
  std::vector<MicroBatch> batches;
  for (std::int64_t step = plan.first_step; step < plan.last_step; ++step)
    for (std::int64_t index = plan.first; index < plan.last; index += plan.stride) batches.push_back(loader.next());
  return batches;
}

bool same(const MicroBatch& a, const MicroBatch& b) {
  return a.step == b.step && a.index == b.index && a.tokens == b.tokens && a.targets == b.targets &&
         a.samples_hash == b.samples_hash;
}

TEST(Loader, GivesTheSamplesOfTheOrderWithTargetsOneAhead) {
  const TemporaryDirectory directory;
  const TrainingStream stream = new_stream(directory, 1000);
  const SampleOrder order(5, 1000, kLength);
  const auto batches = read_all(
      stream, {.micro_batch = 3, .micro_batches_per_step = 2, .first = 0, .last = 2, .first_step = 0, .last_step = 4});
  ASSERT_EQ(batches.size(), 8u);
  std::int64_t number = 0;
  for (const MicroBatch& batch : batches) {
    EXPECT_EQ(batch.step * 2 + batch.index, number / 3);
    ASSERT_EQ(batch.tokens.size(), static_cast<std::size_t>(3 * kLength));
    for (std::int64_t row = 0; row < 3; ++row, ++number)
      for (std::int64_t i = 0; i < kLength; ++i) {
        const std::int64_t place = order.begin_of(number) + i;
        const auto at = static_cast<std::size_t>(row * kLength + i);
        EXPECT_EQ(batch.tokens[at], token_at(place));
        EXPECT_EQ(batch.targets[at], place + 1 == 999 ? 256 : token_at(place + 1));
      }
  }
}

TEST(Loader, AnySplitOfMicroBatchesOverRanksReadsTheSame) {
  const TemporaryDirectory directory;
  one_document_corpus(directory / "a", 5000);
  one_document_corpus(directory / "b", 900);
  const TrainingStream stream({{directory / "a", 0.7}, {directory / "b", 0.3}}, 5, kLength);
  LoaderPlan plan{.micro_batch = 2, .micro_batches_per_step = 12, .first = 0, .last = 12, .last_step = 5};
  const auto whole = read_all(stream, plan);
  const auto expect_whole = [&](std::vector<MicroBatch> parts) {
    std::sort(parts.begin(), parts.end(), [](const MicroBatch& a, const MicroBatch& b) {
      return std::pair(a.step, a.index) < std::pair(b.step, b.index);
    });
    ASSERT_EQ(parts.size(), whole.size());
    for (std::size_t i = 0; i < whole.size(); ++i) EXPECT_TRUE(same(parts[i], whole[i])) << i;
  };
  const auto add_all = [&](std::vector<MicroBatch>& parts) {
    for (MicroBatch& batch : read_all(stream, plan)) parts.push_back(std::move(batch));
  };
  for (const std::vector<std::int64_t>& cuts :
       {std::vector<std::int64_t>{0, 6, 12}, {0, 4, 8, 12}, {0, 3, 6, 8, 10, 12}, {0, 0, 1, 12}}) {
    std::vector<MicroBatch> parts;
    for (std::size_t rank = 0; rank + 1 < cuts.size(); ++rank) {
      plan.first = cuts[rank];
      plan.last = cuts[rank + 1];
      plan.prefetch = 1 + static_cast<int>(rank);
      add_all(parts);
    }
    expect_whole(std::move(parts));
  }
  plan.last = 12;
  for (plan.stride = 1; plan.stride <= 13; plan.stride += 4) {
    std::vector<MicroBatch> parts;
    for (plan.first = 0; plan.first < std::min<std::int64_t>(12, plan.stride); ++plan.first) add_all(parts);
    expect_whole(std::move(parts));
  }
}

TEST(Loader, ResumesAnywhereWithTheSameStream) {
  const TemporaryDirectory directory;
  one_document_corpus(directory / "a", 700);
  one_document_corpus(directory / "b", 400);
  const TrainingStream stream({{directory / "a", 0.7}, {directory / "b", 0.3}}, 5, kLength);
  LoaderPlan plan{.micro_batch = 3, .micro_batches_per_step = 2, .first = 0, .last = 2, .last_step = 40};
  const auto whole = read_all(stream, plan);  // several epochs
  for (std::int64_t step = 0; step <= 40; step += 3) {
    plan.first_step = step;
    const auto rest = read_all(stream, plan);
    ASSERT_EQ(rest.size(), whole.size() - static_cast<std::size_t>(2 * step));
    for (std::size_t i = 0; i < rest.size(); ++i)
      EXPECT_TRUE(same(rest[i], whole[i + static_cast<std::size_t>(2 * step)])) << step;
  }
}

TEST(Loader, TheStreamDoesNotDependOnHowTheCorpusIsCutIntoShards) {
  const TemporaryDirectory directory;
  std::vector<std::vector<MicroBatch>> streams;
  for (const std::int64_t shard_tokens : {20, 100'000}) {
    const auto path = directory / std::to_string(shard_tokens);
    CorpusWriter writer(path, testing::bytes_tokenizer(), shard_tokens);
    for (std::int64_t i = 0; i < 200; ++i) writer.add(Split::kTraining, std::vector<TokenId>(i % 13, token_at(i)), 1);
    writer.finish();
    streams.push_back(read_all(
        stream_of(path), {.micro_batch = 4, .micro_batches_per_step = 1, .first = 0, .last = 1, .last_step = 50}));
  }
  for (std::size_t i = 0; i < streams[0].size(); ++i) EXPECT_TRUE(same(streams[0][i], streams[1][i])) << i;
}

TEST(Loader, SamplesHashTellsOtherSamplesApart) {
  const TemporaryDirectory directory;
  const TrainingStream stream = new_stream(directory, 1000);
  const auto batches =
      read_all(stream, {.micro_batch = 2, .micro_batches_per_step = 1, .first = 0, .last = 1, .last_step = 20});
  for (std::size_t i = 1; i < batches.size(); ++i) EXPECT_NE(batches[i].samples_hash, batches[0].samples_hash);
}

TEST(Loader, ReadsTheSmallestCorpus) {
  const TemporaryDirectory directory;
  const TrainingStream stream = new_stream(directory, kLength + 1);
  for (const MicroBatch& batch :
       read_all(stream, {.micro_batch = 2, .micro_batches_per_step = 1, .first = 0, .last = 1, .last_step = 3}))
    for (std::int64_t i = 0; i < 2 * kLength; ++i)
      EXPECT_EQ(batch.tokens[static_cast<std::size_t>(i)], token_at(i % kLength));
}

TEST(Loader, AnErrorOfItsThreadIsThrownByNextAfterWhatWasReadBefore) {
  const TemporaryDirectory directory;
  const TrainingStream stream = new_stream(directory, 3'000'000);
  const auto shard = read_corpus_index(directory / "corpus").split(Split::kTraining).shards[0];
  {
    std::fstream file(directory / "corpus/training-00000.h5", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(shard.tokens_offset + 3 * kCorpusBlockBytes));
    file.put('\xEE');
  }
  Loader loader(stream, {.micro_batch = 1, .micro_batches_per_step = 1, .first = 0, .last = 1, .last_step = 100'000});
  const auto drain = [&] {
    for (int i = 0; i < 10'000; ++i) loader.next();
  };
  EXPECT_THAT(drain, ::testing::ThrowsMessage<Error>(::testing::HasSubstr("training-00000.h5 is damaged: block 3")));
  EXPECT_THROW(loader.next(), Error);  // and stays so
}

TEST(Loader, StopsWhereItIsWhenDropped) {
  const TemporaryDirectory directory;
  const TrainingStream stream = new_stream(directory, 1000);
  for (int i = 0; i < 100; ++i) {
    Loader loader(
        stream,
        {.micro_batch = 4, .micro_batches_per_step = 1, .first = 0, .last = 1, .last_step = 1'000'000, .prefetch = 2});
    if (i % 2) loader.next();
  }
}

TEST(Loader, RefusesImpossiblePlansAndReadingPastTheEnd) {
  const TemporaryDirectory directory;
  const TrainingStream stream = new_stream(directory, 1000);
  for (const LoaderPlan& plan :
       {LoaderPlan{.micro_batch = 0}, LoaderPlan{.micro_batches_per_step = 0}, LoaderPlan{.first = 1, .last = 0},
        LoaderPlan{.last = 2}, LoaderPlan{.first_step = 2, .last_step = 1}, LoaderPlan{.prefetch = 0},
        LoaderPlan{.stride = 0}, LoaderPlan{.micro_batch = std::int64_t{1} << 40, .last_step = std::int64_t{1} << 40}})
    EXPECT_THROW(Loader(stream, plan), Error);
  Loader loader(stream, {.last_step = 1});
  loader.next();
  EXPECT_THROW(loader.next(), Error);
}

TEST(EvaluationBatches, AskForEveryTargetExactlyOnce) {
  for (const std::int64_t tokens : {17, 18, 32, 33, 34, 49, 100, 1000}) {
    const TemporaryDirectory directory;
    const Corpus corpus = one_document_corpus(directory / "corpus", tokens);
    for (const std::int64_t micro_batch : {1, 2, 3, 8}) {
      const EvaluationBatches batches(corpus, kLength, micro_batch);
      EXPECT_EQ(batches.targets(), tokens - 1);
      std::vector<int> asked(static_cast<std::size_t>(tokens), 0);
      std::int64_t row = 0;
      for (std::int64_t b = 0; b < batches.count(); ++b) {
        const MicroBatch batch = batches.batch(b);
        ASSERT_EQ(batch.targets.size(), static_cast<std::size_t>(micro_batch * kLength));
        for (std::int64_t r = 0; r < micro_batch; ++r, ++row) {
          const std::int64_t begin = std::min(row * kLength, tokens - 1 - kLength);
          for (std::int64_t i = 0; i < kLength; ++i) {
            const std::int64_t target = batch.targets[static_cast<std::size_t>(r * kLength + i)];
            if (target < 0) continue;
            ASSERT_LT(begin + i + 1, tokens);
            EXPECT_EQ(target, begin + i + 1 == tokens - 1 ? 256 : token_at(begin + i + 1));
            EXPECT_EQ(batch.tokens[static_cast<std::size_t>(r * kLength + i)], token_at(begin + i));
            if (row * kLength < tokens - 1) ++asked[static_cast<std::size_t>(begin + i + 1)];
          }
        }
      }
      EXPECT_EQ(asked[0], 0);
      EXPECT_TRUE(std::all_of(asked.begin() + 1, asked.end(), [](int count) { return count == 1; }))
          << tokens << " tokens, micro-batch " << micro_batch;
      EXPECT_EQ(std::count_if(asked.begin(), asked.end(), [](int count) { return count == 1; }), batches.targets());
    }
  }
}

TEST(EvaluationBatches, RefuseASplitThatIsTooSmall) {
  const TemporaryDirectory directory;
  const Corpus corpus = one_document_corpus(directory / "corpus", kLength);
  EXPECT_THROW(EvaluationBatches(corpus, kLength, 1), Error);
  EXPECT_THROW(EvaluationBatches(corpus, 4, 0), Error);
}

}  // namespace
}  // namespace trireme::data
