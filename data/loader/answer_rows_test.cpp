#include "data/loader/answer_rows.h"

#include <gmock/gmock.h>

#include <map>
#include <numeric>
#include <set>

#include "core/base/error.h"
#include "data/corpus/testing.h"
#include "data/loader/loader.h"

namespace trireme::data {
namespace {

using testing::bytes_tokenizer;
using testing::TemporaryDirectory;

constexpr std::int64_t kLength = 10, kTexts = 40;

// Text i: i, i, ..., of 2 to 9 tokens, or 15; the last half of it is an answer.
LabelledText text_of(std::int64_t i) {
  LabelledText text;
  text.ids.assign(static_cast<std::size_t>(i % 13 == 12 ? 15 : 2 + i % 8), static_cast<TokenId>(i));
  for (std::size_t t = 0; t < text.ids.size(); ++t) text.labels.push_back(2 * t >= text.ids.size() ? i : -1);
  return text;
}

void write(const std::filesystem::path& path, Labels::Of of) {
  const Tokenizer tokenizer = bytes_tokenizer();
  CorpusWriter writer(path, &tokenizer, 257, {of, {}});
  writer.keep("chat_template.jinja", "hello");
  for (std::int64_t i = 0; i < kTexts; ++i)
    for (const Split split : {Split::kTraining, Split::kValidation})
      writer.add(split, writer.label_storage().row(text_of(i)), i + 1);
  writer.finish();
}

// Each document of a batch: the number that its tokens are, how many are asked for, and how many there are.
struct Seen {
  std::int64_t id, asked, length;
};
std::vector<Seen> seen_in(const MicroBatch& batch) {
  std::vector<Seen> all;
  std::int64_t at = 0;
  for (const std::int64_t length : batch.documents) {
    EXPECT_LE(at % batch.length + length, batch.length) << "within a row";
    Seen seen{batch.tokens[static_cast<std::size_t>(at)], 0, length};
    for (std::int64_t i = at; i < at + length; ++i) {
      EXPECT_EQ(batch.tokens[static_cast<std::size_t>(i)], seen.id);
      const std::int64_t target = batch.targets[static_cast<std::size_t>(i)];
      EXPECT_TRUE(target == -1 || target == seen.id) << "of the same text";
      seen.asked += target >= 0;
    }
    at += length;
    all.push_back(seen);
  }
  EXPECT_EQ(at, batch.sequences * batch.length) << "all rows are full";
  return all;
}

TEST(AnswerRows, EachEpochHasEachTextOnceWithItsAnswerAsked) {
  const TemporaryDirectory directory;
  write(directory / "corpus", Labels::Of::kAnswers);
  EXPECT_TRUE(verify_corpus(directory / "corpus").empty());
  const TrainingStream stream({{directory / "corpus", 1}}, 5, kLength);
  EXPECT_EQ(stream.parts()[0].corpus.companions().at("chat_template.jinja"), "hello");
  EXPECT_EQ(stream.longer_texts(), 3);
  const std::int64_t rows = stream.parts()[0].rows.rows();
  EXPECT_LT(rows, kTexts * 3 / 4);
  // An epoch in as many steps of one micro-batch of one row.
  Loader loader(stream, {.micro_batch = 1, .micro_batches_per_step = 1, .first = 0, .last = 1, .last_step = 2 * rows});
  for (int epoch = 0; epoch < 2; ++epoch) {
    std::map<std::int64_t, Seen> found;
    for (std::int64_t step = 0; step < rows; ++step) {
      const MicroBatch batch = loader.next();
      std::int64_t asked = 0;
      for (const Seen& seen : seen_in(batch)) {
        asked += seen.asked;
        if (seen.asked > 0) {
          EXPECT_TRUE(found.emplace(seen.id, seen).second) << seen.id;
        }
      }
      EXPECT_EQ(batch.step_targets, asked);
    }
    ASSERT_EQ(static_cast<std::int64_t>(found.size()), kTexts);
    for (std::int64_t i = 0; i < kTexts; ++i) {
      const LabelledText text = text_of(i);
      const auto tokens = static_cast<std::int64_t>(text.ids.size());
      EXPECT_EQ(found.at(i).length, std::min(tokens - 1, kLength));
      EXPECT_EQ(found.at(i).asked, std::min(tokens, kLength + 1) - (tokens + 1) / 2);
    }
  }
}

TEST(AnswerRows, RanksReadTheSameRowsAsOne) {
  const TemporaryDirectory directory;
  write(directory / "corpus", Labels::Of::kAnswers);
  const TrainingStream stream({{directory / "corpus", 1}}, 5, kLength);
  const LoaderPlan all{.micro_batch = 2, .micro_batches_per_step = 3, .first = 0, .last = 3, .last_step = 5};
  LoaderPlan second = all;
  second.first = 1;
  second.last = 2;
  Loader one(stream, all), other(stream, second);
  for (int step = 0; step < 5; ++step)
    for (int index = 0; index < 3; ++index) {
      const MicroBatch batch = one.next();
      if (index != 1) continue;
      const MicroBatch same = other.next();
      EXPECT_EQ(batch.tokens, same.tokens);
      EXPECT_EQ(batch.targets, same.targets);
      EXPECT_EQ(batch.documents, same.documents);
      EXPECT_EQ(batch.step_targets, same.step_targets);
      EXPECT_EQ(batch.samples_hash, same.samples_hash);
    }
}

TEST(AnswerRows, EvaluationReadsEachTextOnce) {
  const TemporaryDirectory directory;
  write(directory / "corpus", Labels::Of::kAnswers);
  const Corpus corpus = Corpus::open(directory / "corpus", Split::kValidation);
  const EvaluationBatches batches(corpus, kLength, 3);
  std::set<std::int64_t> found;
  for (std::int64_t i = 0; i < batches.count(); ++i)
    for (const Seen& seen : seen_in(batches.batch(i)))
      if (seen.asked > 0) {
        EXPECT_TRUE(found.insert(seen.id).second);
      }
  EXPECT_EQ(static_cast<std::int64_t>(found.size()), kTexts);
}

TEST(AnswerRows, APreferenceIsInOneRow) {
  const TemporaryDirectory directory;
  write(directory / "corpus", Labels::Of::kPreferences);
  const Corpus corpus = Corpus::open(directory / "corpus", Split::kTraining);
  const AnswerRows rows(corpus, kLength);
  std::int64_t pairs = 0;
  for (std::int64_t row = 0; row < rows.rows(); ++row) {
    const std::vector<LabelledText> texts = rows.texts(corpus, row);
    ASSERT_EQ(texts.size(), 2 * rows.preferences(row).size());
    std::int64_t places = 0;
    for (std::size_t i = 0; i < texts.size(); i += 2) {
      EXPECT_EQ(texts[i].ids[0] + 1, texts[i + 1].ids[0]);
      EXPECT_EQ(texts[i].ids[0] % 2, 0);
      for (std::size_t k = i; k < i + 2; ++k) {
        EXPECT_GE(texts[k].ids.size(), 2u);
        places += static_cast<std::int64_t>(texts[k].ids.size()) - 1;
      }
      ++pairs;
    }
    EXPECT_LE(places, kLength);
  }
  EXPECT_EQ(pairs, kTexts / 2);
  EXPECT_GT(rows.cut(), 0);
}

TEST(AnswerRows, ACorpusWithAnOddNumberOfPreferencesIsDamaged) {
  const TemporaryDirectory directory;
  const Tokenizer tokenizer = bytes_tokenizer();
  CorpusWriter writer(directory / "corpus", &tokenizer, 257, {Labels::Of::kPreferences, {}});
  writer.add(Split::kTraining, writer.label_storage().row(text_of(3)), 1);
  writer.finish();
  EXPECT_THROW(Corpus::open(directory / "corpus", Split::kTraining), Error);
}

}  // namespace
}  // namespace trireme::data
