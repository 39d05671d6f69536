#include "data/tokenizer/train_tokenizer.h"

#include <gmock/gmock.h>

#include "core/base/error.h"
#include "data/tokenizer/tokenizer.h"

namespace trireme::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::ThrowsMessage;

TokenizerSpec train(const std::vector<std::string>& documents, std::int64_t size, std::int64_t min_frequency = 2) {
  TokenizerTrainer trainer({.vocabulary_size = size, .min_frequency = min_frequency});
  for (const std::string& document : documents) trainer.add(document);
  return parse_tokenizer_json(trainer.finish(), "trained");
}

TEST(TokenizerTrainer, MergesTheMostFrequentPairAndOfEqualsTheSmallest) {
  // th 4 times; then "Ġth" and "en" twice each: "e" has the smaller id, but the special character Ġ comes last.
  EXPECT_THAT(train({"the thing then", " that open"}, 260).merges,
              ElementsAre(Pair("t", "h"), Pair("Ġ", "th"), Pair("e", "n")));
}

TEST(TokenizerTrainer, StopsWhereNoPairIsFrequentEnough) {
  EXPECT_THAT(train({"abc"}, 1000).merges, IsEmpty());
  EXPECT_THAT(train({"abc"}, 1000, /*min_frequency=*/1).merges, ElementsAre(Pair("a", "b"), Pair("ab", "c")));
  EXPECT_EQ(train({"abc"}, 1000, 0).merges.size(), 2u);
}

TEST(TokenizerTrainer, SpecialTokenIsZeroAndBytesFollow) {
  TokenizerTrainer trainer({.vocabulary_size = 257});
  trainer.add("nothing is merged");
  const Tokenizer tokenizer = Tokenizer::parse(trainer.finish(), "trained");
  EXPECT_EQ(tokenizer.vocabulary_size(), 257);
  EXPECT_EQ(tokenizer.end_of_text(), 0);
  EXPECT_TRUE(tokenizer.is_special(0));
  EXPECT_EQ(tokenizer.id_of("!"), 1);
  EXPECT_EQ(tokenizer.decode_one(*tokenizer.id_of("Ġ")), " ");
}

TEST(TokenizerTrainer, TakesAnyBytesAndNoText) {
  EXPECT_THAT(train({}, 300).merges, IsEmpty());
  EXPECT_THAT(train({"", "\xFF\xFE", "\xFF\xFE"}, 300).merges, ElementsAre(Pair("ÿ", "þ")));
}

TEST(TokenizerTrainer, RefusesSizesThatCannotHoldTheBytes) {
  EXPECT_THAT([] { TokenizerTrainer({.vocabulary_size = 256}); }, ThrowsMessage<Error>(HasSubstr("got 256")));
  EXPECT_THAT([] { TokenizerTrainer({.vocabulary_size = 300, .min_frequency = -1}); },
              ThrowsMessage<Error>(HasSubstr("got -1")));
  try {
    TokenizerTrainer({.vocabulary_size = -5});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
  }
}

}  // namespace
}  // namespace trireme::data
