#include "data/corpus/labels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/random.h"
#include "data/corpus/corpus.h"
#include "data/corpus/index.h"
#include "data/corpus/testing.h"

namespace trireme::data {
namespace {

using testing::bytes_tokenizer;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::TemporaryDirectory;

const std::vector<std::string> kNames = {"bad", "good", "naïve, \"odd\""};

LabelledText random_text(Labels::Of of, std::uint64_t number) {
  const RandomStream random(3, "labels");
  std::uint64_t at = number << 16;
  LabelledText text;
  for (std::uint64_t left = 1 + random.bits(at++) % 20; left > 0; --left) {
    text.ids.push_back(static_cast<TokenId>(random.bits(at++) % 257));
    if (of == Labels::Of::kTokens) text.labels.push_back(static_cast<std::int64_t>(random.bits(at++) % 4) - 1);
  }
  if (of == Labels::Of::kTexts) text.labels.push_back(static_cast<std::int64_t>(random.bits(at) % 3));
  return text;
}

TEST(LabelStorage, GivesBackWhatItTook) {
  for (const auto of : {Labels::Of::kTexts, Labels::Of::kTokens}) {
    const LabelStorage storage{257, {of, kNames}};
    for (std::uint64_t i = 0; i < 500; ++i) {
      const LabelledText text = random_text(of, i);
      const std::vector<TokenId> row = storage.row(text);
      for (const TokenId id : row) EXPECT_LT(id, storage.ids());
      const LabelledText back = storage.text(row, "test");
      EXPECT_EQ(back.ids, text.ids);
      EXPECT_EQ(back.labels, text.labels);
    }
  }
}

TEST(LabelStorage, RefusesWhatCannotBeARow) {
  const LabelStorage texts{10, {Labels::Of::kTexts, kNames}}, tokens{10, {Labels::Of::kTokens, kNames}};
  const auto refuses = [](const LabelStorage& storage, std::vector<TokenId> row, const char* why) {
    try {
      storage.text(row, "corpus");
      ADD_FAILURE() << why;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kCorrupt);
      EXPECT_THAT(error.what(), HasSubstr(why));
    }
  };
  refuses(texts, {}, "other numbers");
  refuses(texts, {10}, "other numbers");
  refuses(texts, {1, 2, 3}, "a token where a label is due");
  refuses(texts, {1, 13}, "a token where a label is due");  // which stands for no label, and only of tokens
  refuses(texts, {1, 11, 10}, "a label where a token is due");
  refuses(tokens, {1, 2, 10}, "other numbers");
  refuses(tokens, {1, 2, 10, 14}, "a token where a label is due");
  refuses(tokens, {10, 2, 10, 11}, "a label where a token is due");
  EXPECT_EQ(tokens.text({1, 2, 13, 12}, "").labels, (std::vector<std::int64_t>{-1, 2}));
}

TEST(Labels, OfACorpusAreThereAgainAndItIsSound) {
  const Tokenizer tokenizer = bytes_tokenizer();
  for (const auto of : {Labels::Of::kTexts, Labels::Of::kTokens})
    for (const bool with_tokenizer : {true, false}) {
      const TemporaryDirectory directory;
      // Shards of some texts each.
      CorpusWriter writer(directory / "corpus", with_tokenizer ? &tokenizer : nullptr, 257, {of, kNames}, 100);
      for (std::uint64_t i = 0; i < 50; ++i)
        writer.add(i % 5 ? Split::kTraining : Split::kValidation, writer.label_storage().row(random_text(of, i)), 3);
      writer.finish();
      EXPECT_THAT(verify_corpus(directory / "corpus"), IsEmpty());
      const Corpus training = Corpus::open(directory / "corpus", Split::kTraining);
      EXPECT_EQ(training.documents(), 40);
      EXPECT_EQ(training.vocabulary_size(), 257);
      EXPECT_EQ(training.labels(), (Labels{of, kNames}));
      EXPECT_EQ(training.tokenizer_json().empty(), !with_tokenizer);
      std::int64_t at = 0;
      for (std::uint64_t i = 0; i < 50; ++i) {
        if (i % 5 == 0) continue;
        const LabelledText found = training.labelled(at++), due = random_text(of, i);
        EXPECT_EQ(found.ids, due.ids);
        EXPECT_EQ(found.labels, due.labels);
      }
    }
}

TEST(Labels, AreCheckedWhenAnIndexIsRead) {
  const TemporaryDirectory directory;
  const Tokenizer tokenizer = bytes_tokenizer();
  CorpusWriter writer(directory / "corpus", &tokenizer, 257, {Labels::Of::kTokens, kNames});
  writer.add(Split::kTraining, writer.label_storage().row({{1}, {0}}), 1);
  writer.finish();
  const CorpusIndex sound = read_corpus_index(directory / "corpus");
  EXPECT_EQ(index_to_json(index_from_json(index_to_json(sound), "test")), index_to_json(sound));
  const auto refuses = [&](const char* why, auto change) {
    CorpusIndex index = sound;
    change(index);
    try {
      index_from_json(index_to_json(index), "test");
      ADD_FAILURE() << why;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(why));
    }
  };
  refuses("vocabulary-size", [](CorpusIndex& index) { index.token_ids = index.vocabulary_size; });
  refuses("vocabulary-size", [](CorpusIndex& index) { index.token_ids = 0; });
  refuses("names of labels", [](CorpusIndex& index) { index.labels.names = {"one"}; });
}

}  // namespace
}  // namespace trireme::data
