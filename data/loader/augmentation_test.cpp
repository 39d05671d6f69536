#include "data/loader/augmentation.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/base/error.h"
#include "data/corpus/testing.h"
#include "data/loader/loader.h"
#include "data/tokenizer/train_tokenizer.h"

namespace trireme::data {
namespace {

using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// Ids 0 to 3 are special, 4 to 259 the bytes.
constexpr TokenId kEnd = 0, kPrefix = 1, kMiddle = 2, kSuffix = 3, kFirstByte = 4, kVocabulary = 260;

const std::string& fim_tokenizer_json() {
  static const std::string json = learn_tokenizer(
      {.vocabulary_size = kVocabulary, .special_tokens = {"<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>"}}, {});
  return json;
}

Augmentation augmentation(const AugmentationRates& rates, std::uint64_t seed = 5) {
  return {rates, seed, fim_tokenizer_json()};
}

// Documents of these sizes, each followed by the end of text but the last; no token twice in 250.
std::vector<TokenId> sequence_of(const std::vector<int>& sizes) {
  std::vector<TokenId> tokens;
  int next = 0;
  for (const int& size : sizes) {
    if (&size != &sizes[0]) tokens.push_back(kEnd);
    for (int i = 0; i < size; ++i) tokens.push_back(kFirstByte + next++ % 250);
  }
  return tokens;
}

std::vector<std::vector<TokenId>> documents_of(const std::vector<TokenId>& tokens) {
  std::vector<std::vector<TokenId>> documents(1);
  for (const TokenId token : tokens)
    if (token == kEnd)
      documents.emplace_back();
    else
      documents.back().push_back(token);
  return documents;
}

// The document as it was, when it was rearranged; checks that all three marks are there, in an order that can be.
struct Restored {
  std::vector<TokenId> document;
  bool is_rearranged = false, suffix_first = false;
  std::size_t middle_size = 0;
};
Restored restored(const std::vector<TokenId>& document) {
  if (document.empty() || document[0] != kPrefix) return {document};
  const auto suffix = std::find(document.begin(), document.end(), kSuffix);
  const auto middle = std::find(suffix, document.end(), kMiddle);
  EXPECT_TRUE(suffix != document.end() && middle != document.end());
  std::vector<TokenId> behind(middle + 1, document.end());
  const std::vector<TokenId> between(suffix + 1, middle);
  Restored result{{document.begin() + 1, suffix}, true};
  // Tokens ascend here, so it shows which way round it was: in SPM prefix and middle both stand behind.
  result.suffix_first = suffix == document.begin() + 1;
  result.middle_size = behind.size();
  result.document.insert(result.document.end(), behind.begin(), behind.end());
  result.document.insert(result.document.end(), between.begin(), between.end());
  return result;
}

TEST(FillInTheMiddle, EveryDocumentComesBackWhenItsPiecesArePutInOrder) {
  const std::vector<int> sizes = {5, 1, 0, 30, 2, 80, 60};
  const std::vector<TokenId> before = sequence_of(sizes);
  for (const double spm : {0.0, 0.5, 1.0}) {
    const Augmentation fim = augmentation({.fim = 0.7, .fim_spm = spm});
    for (std::int64_t sample = 0; sample < 300; ++sample) {
      std::vector<TokenId> after = before;
      fim.rearrange(sample, after);
      ASSERT_EQ(after.size(), before.size());
      std::vector<TokenId> joined;
      std::ptrdiff_t marks = 0;
      for (const std::vector<TokenId>& document : documents_of(after)) {
        if (!joined.empty()) joined.push_back(kEnd);
        const Restored whole = restored(document);
        marks += whole.is_rearranged ? 3 : 0;
        joined.insert(joined.end(), whole.document.begin(), whole.document.end());
      }
      // All tokens and borders in order, but for those that the marks pushed off the end.
      ASSERT_THAT(joined, ElementsAreArray(before.begin(), before.end() - marks)) << sample;
    }
  }
}

TEST(FillInTheMiddle, KeepsTheTokensThatStay) {
  const std::vector<TokenId> before = sequence_of({40, 57, 30});
  std::vector<TokenId> after = before;
  augmentation({.fim = 1}).rearrange(3, after);
  std::map<TokenId, int> counts;
  for (const TokenId token : after) ++counts[token];
  EXPECT_EQ(counts[kPrefix], 3);
  EXPECT_EQ(counts[kMiddle], 3);
  EXPECT_EQ(counts[kSuffix], 3);
  for (std::size_t i = 0; i < before.size() - 9; ++i) --counts[before[i]];
  for (const auto& [token, count] : counts)
    if (token > kSuffix) {
      EXPECT_EQ(count, 0) << token;
    }
}

TEST(FillInTheMiddle, SequencesTooShortForTheMarksStayAsTheyAre) {
  for (int size = 0; size < 12; ++size) {
    const std::vector<TokenId> before = sequence_of({size});
    for (std::int64_t sample = 0; sample < 50; ++sample) {
      std::vector<TokenId> after = before;
      augmentation({.fim = 1}).rearrange(sample, after);
      if (size <= 3)
        EXPECT_EQ(after, before);
      else
        EXPECT_EQ(after[0], kPrefix);
      EXPECT_EQ(after.size(), before.size());
    }
  }
}

void expect_share(std::int64_t count, std::int64_t of, double rate, const char* what) {
  const double mean = static_cast<double>(of) * rate;
  EXPECT_NEAR(static_cast<double>(count), mean, 5 * std::sqrt(mean * (1 - rate)) + 1e-9) << what;
}

TEST(FillInTheMiddle, RatesAndCutsAreAsAskedFor) {
  const std::vector<TokenId> before = sequence_of({20, 20, 20, 40});
  for (const auto& [rate, spm] : {std::pair{0.9, 0.5}, {0.5, 0.1}, {0.01, 1.0}, {1.0, 0.0}}) {
    const Augmentation fim = augmentation({.fim = rate, .fim_spm = spm});
    std::int64_t documents = 0, rearranged = 0, suffix_first = 0, whole_middle = 0;
    for (std::int64_t sample = 0; sample < 5000; ++sample) {
      std::vector<TokenId> after = before;
      fim.rearrange(sample, after);
      const auto parts = documents_of(after);
      for (std::size_t i = 0; i < 3; ++i, ++documents) {
        const Restored part = restored(parts[i]);
        rearranged += part.is_rearranged;
        suffix_first += part.suffix_first;
        if (spm == 0 && rate == 1) whole_middle += part.middle_size == 20;
      }
    }
    expect_share(rearranged, documents, rate, "rearranged");
    // An empty prefix looks the same from outside: both cuts at the beginning, or one of them (41 of 441).
    const double seems_spm = spm + (1 - spm) * 41 / 441;
    expect_share(suffix_first, rearranged, seems_spm, "suffix first");
    // Both cuts at opposite ends.
    if (spm == 0 && rate == 1) expect_share(whole_middle, documents, 2.0 / 441, "the whole document as its middle");
  }
}

TEST(TokenDropout, ReplacesItsShareByAllOrdinaryTokensEvenly) {
  constexpr std::int64_t kSamples = 3000, kLength = 101;
  for (const double rate : {0.01, 0.1, 0.9}) {
    const Augmentation dropout = augmentation({.token_dropout = rate});
    std::int64_t changed = 0;
    std::map<std::int64_t, std::int64_t> drawn;
    std::vector<std::int64_t> at(kLength);
    for (std::int64_t sample = 0; sample < kSamples; ++sample) {
      std::vector<std::int64_t> inputs(kLength, 77);
      dropout.drop(sample, inputs);
      for (std::size_t i = 0; i < inputs.size(); ++i)
        if (inputs[i] != 77) ++changed, ++drawn[inputs[i]], ++at[i];
    }
    expect_share(changed, kSamples * kLength, rate * 255 / 256, "changed");  // one draw in 256 gives 77 again
    for (const std::int64_t count : at) expect_share(count, kSamples, rate * 255 / 256, "at one position");
    EXPECT_EQ(drawn.size(), 255u) << "of 256 bytes, without 77";
    for (const auto& [token, count] : drawn) {
      EXPECT_GE(token, kFirstByte);
      expect_share(count, changed, 1.0 / 255, "of one token");
    }
  }
}

TEST(TokenDropout, KeepsSpecialTokens) {
  const Augmentation dropout = augmentation({.token_dropout = 0.9});
  for (std::int64_t sample = 0; sample < 100; ++sample) {
    std::vector<std::int64_t> inputs = {kEnd, kPrefix, kMiddle, kSuffix, kEnd};
    dropout.drop(sample, inputs);
    EXPECT_THAT(inputs, ::testing::ElementsAre(kEnd, kPrefix, kMiddle, kSuffix, kEnd));
  }
}

TEST(Augmentation, IsAFunctionOfSeedAndSample) {
  const AugmentationRates rates{.token_dropout = 0.3, .fim = 0.8};
  const Augmentation one = augmentation(rates), same = augmentation(rates), other = augmentation(rates, 6);
  const std::vector<TokenId> before = sequence_of({50, 60});
  const auto changed = [&](const Augmentation& by, std::int64_t sample) {
    std::vector<TokenId> tokens = before;
    by.rearrange(sample, tokens);
    std::vector<std::int64_t> inputs(tokens.begin(), tokens.end());
    by.drop(sample, inputs);
    return inputs;
  };
  for (std::int64_t sample = 200; sample-- > 0;) {
    EXPECT_EQ(changed(one, sample), changed(same, sample));
    EXPECT_NE(changed(one, sample), changed(other, sample));
    EXPECT_NE(changed(one, sample), changed(one, sample + 1));
  }
  // 2^32 samples on, nothing repeats.
  EXPECT_NE(changed(one, 1), changed(one, 1 + (std::int64_t{1} << 32)));
}

TEST(Augmentation, OffChangesNothingAndReadsNoTokenizer) {
  const Augmentation off({.fim_spm = 1}, 1, "no JSON"), none;
  for (const Augmentation* by : {&off, &none}) {
    std::vector<TokenId> tokens = sequence_of({9, 9});
    by->rearrange(0, tokens);
    EXPECT_EQ(tokens, sequence_of({9, 9}));
    std::vector<std::int64_t> inputs = {5, 6};
    by->drop(0, inputs);
    EXPECT_THAT(inputs, ::testing::ElementsAre(5, 6));
  }
}

TEST(Augmentation, NamesTheTokenThatTheTokenizerLacksAndHowToGetIt) {
  const std::string json = testing::bytes_tokenizer_json();
  EXPECT_THAT([&] { Augmentation({.fim = 0.5}, 1, json); },
              ThrowsMessage<Error>(::testing::AllOf(HasSubstr("data.fim-rate"), HasSubstr("<|fim_prefix|>"),
                                                    HasSubstr("--special-tokens"))));
  EXPECT_NO_THROW(Augmentation({.token_dropout = 0.5}, 1, json));
}

// Targets are those of the rearranged sequence; only what is read is dropped, whichever rank reads it.
TEST(Augmentation, InTheLoaderItDoesNotDependOnRanksAndLeavesTargets) {
  constexpr std::int64_t kLength = 32;
  const testing::TemporaryDirectory directory;
  CorpusWriter writer(directory / "corpus", Tokenizer::parse(fim_tokenizer_json(), "test"));
  for (int document = 0; document < 60; ++document)
    writer.add(Split::kTraining, std::vector<TokenId>(static_cast<std::size_t>(document % 37), 60 + document), 1);
  writer.finish();
  const TrainingStream stream({{directory / "corpus", 1}}, 5, kLength);
  const auto read = [&](const AugmentationRates& rates, std::int64_t first, std::int64_t last, std::int64_t step = 0) {
    LoaderPlan plan{.micro_batch = 2, .micro_batches_per_step = 4, .first = first, .last = last};
    plan.first_step = step;
    plan.last_step = 20;
    Loader loader(stream, plan, augmentation(rates));
    std::vector<MicroBatch> batches;
    for (std::int64_t left = (20 - step) * (last - first); left > 0; --left) batches.push_back(loader.next());
    return batches;
  };
  const auto fim = read({.fim = 0.5}, 0, 4), both = read({.token_dropout = 0.5, .fim = 0.5}, 0, 4);
  for (std::size_t i = 0; i < fim.size(); ++i) {
    EXPECT_EQ(fim[i].targets, both[i].targets);
    EXPECT_NE(fim[i].tokens, both[i].tokens);
    EXPECT_EQ(fim[i].samples_hash, both[i].samples_hash);
    for (std::size_t row = 0; row < 2; ++row)
      for (std::size_t at = row * kLength; at + 1 < (row + 1) * kLength; ++at)
        ASSERT_EQ(fim[i].tokens[at + 1], fim[i].targets[at]);
  }
  const auto second = read({.token_dropout = 0.5, .fim = 0.5}, 1, 4, 7);
  for (std::size_t i = 0; i < second.size(); ++i) {
    const MicroBatch& batch = both[7 * 4 + i / 3 * 4 + 1 + i % 3];
    EXPECT_EQ(second[i].tokens, batch.tokens);
    EXPECT_EQ(second[i].targets, batch.targets);
  }
}

}  // namespace
}  // namespace trireme::data
