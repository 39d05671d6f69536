#include "data/loader/training_stream.h"

#include <gmock/gmock.h>

#include <numeric>

#include "core/base/error.h"
#include "data/corpus/testing.h"

namespace trireme::data {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::one_document_corpus;
using testing::TemporaryDirectory;
using ::testing::ThrowsMessage;

constexpr std::int64_t kLength = 16;

// Corpora that differ in size.
class Mixture : public ::testing::Test {
 protected:
  Mixture() {
    for (const std::int64_t tokens : {700, 1500, 400}) {
      const std::string name = "corpus" + std::to_string(paths_.size());
      one_document_corpus(directory_ / name, tokens);
      paths_.push_back(directory_ / name);
    }
  }
  TrainingStream stream(const std::vector<CorpusSource>& sources, std::uint64_t seed = 5) const {
    return {sources, seed, kLength};
  }

  const TemporaryDirectory directory_;
  std::vector<std::filesystem::path> paths_;
};

std::vector<TokenId> tokens_of(const TrainingStream& stream, std::int64_t number) {
  std::vector<TokenId> tokens(kLength + 1);
  stream.read(stream.sample(number), tokens);
  return tokens;
}

TEST_F(Mixture, EachCorpusGivesItsShareInAnOrderOfItsOwn) {
  const TrainingStream mixed = stream({{paths_[0], 0.5}, {paths_[1], 0.3}, {paths_[2], 0.2}});
  std::vector<std::int64_t> next(3);
  for (std::int64_t number = 0; number < 2000; ++number) {
    const Sample sample = mixed.sample(number);
    const auto& part = mixed.parts()[static_cast<std::size_t>(sample.corpus)];
    EXPECT_EQ(sample.number, number);
    EXPECT_EQ(sample.begin, part.order.begin_of(next[static_cast<std::size_t>(sample.corpus)]++));
    std::vector<TokenId> expected(kLength + 1);
    part.corpus.read(sample.begin, expected);
    EXPECT_EQ(tokens_of(mixed, number), expected);
  }
  EXPECT_EQ(next, mixed.counts(2000));
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_NEAR(static_cast<double>(next[i]), 2000 * mixed.parts()[i].share, 4) << mixed.parts()[i].directory;
}

TEST_F(Mixture, OneCorpusIsReadAsEver) {
  const TrainingStream alone = stream({{paths_[1], 0.25}});
  const SampleOrder order(5, 1500, kLength);
  for (std::int64_t number = 0; number < 300; ++number) {
    EXPECT_EQ(alone.sample(number).corpus, 0);
    EXPECT_EQ(alone.sample(number).begin, order.begin_of(number));
  }
  EXPECT_EQ(alone.content(), Corpus::open(paths_[1], Split::kTraining).content_hash());
}

TEST_F(Mixture, NeitherTheOrderOfNamesNorTheScaleOfWeightsNorTheFolderMatters) {
  const TrainingStream one = stream({{paths_[0], 0.7}, {paths_[1], 0.2}, {paths_[2], 0.1}});
  std::filesystem::copy(paths_[1], directory_ / "moved", std::filesystem::copy_options::recursive);
  const TrainingStream other = stream({{paths_[2], 1}, {directory_ / "moved", 2}, {paths_[0], 7}});
  EXPECT_EQ(one.content(), other.content());
  EXPECT_NO_THROW(other.expect_content(one.content(), "here"));
  for (std::int64_t number = 0; number < 1000; ++number) EXPECT_EQ(tokens_of(one, number), tokens_of(other, number));
}

TEST_F(Mixture, OrdersOfItsCorporaAreIndependent) {
  one_document_corpus(directory_ / "near", 701);  // as many windows as the first
  const TrainingStream mixed = stream({{paths_[0], 1}, {directory_ / "near", 1}});
  const auto &a = mixed.parts()[0].order, &b = mixed.parts()[1].order;
  ASSERT_EQ(a.windows_per_epoch(), b.windows_per_epoch());
  int equal = 0;
  for (std::int64_t number = 0; number < 400; ++number) equal += a.begin_of(number) == b.begin_of(number);
  EXPECT_LT(equal, 40);
}

TEST_F(Mixture, OtherCorporaOrSharesAreNamed) {
  const TrainingStream mixed = stream({{paths_[0], 3}, {paths_[1], 1}});
  const auto refused = [&](const std::vector<CorpusSource>& sources, ErrorCode code, const auto& message) {
    try {
      stream(sources).expect_content(mixed.content(), "step-00000200");
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << error.what();
      EXPECT_THAT(error.what(), AllOf(HasSubstr("data.path"), HasSubstr("step-00000200"), message));
    }
  };
  refused({{paths_[0], 1}, {paths_[1], 1}}, ErrorCode::kUsage,
          AllOf(HasSubstr("0.5, but"), ::testing::AnyOf(HasSubstr("0.75,"), HasSubstr("0.25,"))));
  refused({{paths_[0], 1}, {paths_[2], 3}}, ErrorCode::kBadInput, HasSubstr(paths_[2].string()));
  refused({{paths_[0], 3}}, ErrorCode::kBadInput, HasSubstr("1 of the 2 corpora"));
  refused({{paths_[0], 3}, {paths_[1], 1}, {paths_[2], 1}}, ErrorCode::kBadInput, HasSubstr(paths_[2].string()));
}

TEST_F(Mixture, WhatCannotBeMixedIsRefusedByName) {
  CorpusWriter writer(directory_ / "other", testing::bytes_tokenizer(/*unused=*/9));
  writer.add(Split::kTraining, std::vector<TokenId>(100, 65), 100);
  writer.finish();
  EXPECT_THAT([&] { stream({{paths_[0], 1}, {directory_ / "other", 1}}); },
              ThrowsMessage<Error>(AllOf(HasSubstr(paths_[0].string()), HasSubstr("other"), HasSubstr("257"),
                                         HasSubstr("266"), HasSubstr("different tokenizers"))));
  std::filesystem::copy(paths_[0], directory_ / "copy", std::filesystem::copy_options::recursive);
  EXPECT_THAT([&] { stream({{paths_[0], 1}, {paths_[1], 1}, {directory_ / "copy", 1}}); },
              ThrowsMessage<Error>(AllOf(HasSubstr(paths_[0].string()), HasSubstr("copy"), HasSubstr("same tokens"))));
  one_document_corpus(directory_ / "short", kLength);
  EXPECT_THAT([&] { stream({{paths_[0], 1}, {directory_ / "short", 1}}); },
              ThrowsMessage<Error>(AllOf(HasSubstr("short"), HasSubstr("16 tokens"))));
}

}  // namespace
}  // namespace trireme::data
