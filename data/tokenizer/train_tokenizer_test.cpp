#include "data/tokenizer/train_tokenizer.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "data/tokenizer/tokenizer.h"
#include "data/tokenizer/tokenizer_json.h"

namespace trireme::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::ThrowsMessage;

/// The merges of a tokenizer that was trained.
std::vector<std::pair<std::string, std::string>> merges(const std::vector<std::string>& documents, std::int64_t size,
                                                        std::int64_t min_frequency = 2) {
  WordCounts words;
  for (const std::string& document : documents) words.add(document);
  const auto json =
      nlohmann::json::parse(learn_tokenizer({.vocabulary_size = size, .min_frequency = min_frequency}, words));
  return json["model"]["merges"];
}

TEST(LearnTokenizer, MergesTheMostFrequentPairAndOfEqualsTheSmallest) {
  // th 4 times; then "Ġth" and "en" twice each: "e" has the smaller id, but the special character Ġ comes last.
  EXPECT_THAT(merges({"the thing then", " that open"}, 260),
              ElementsAre(Pair("t", "h"), Pair("Ġ", "th"), Pair("e", "n")));
}

TEST(LearnTokenizer, StopsWhereNoPairIsFrequentEnough) {
  EXPECT_THAT(merges({"abc"}, 1000), IsEmpty());
  EXPECT_THAT(merges({"abc"}, 1000, /*min_frequency=*/1), ElementsAre(Pair("a", "b"), Pair("ab", "c")));
  EXPECT_EQ(merges({"abc"}, 1000, 0).size(), 2u);
}

TEST(LearnTokenizer, SpecialTokenIsZeroAndBytesFollow) {
  WordCounts words;
  words.add("nothing is merged");
  const Tokenizer tokenizer = Tokenizer::parse(learn_tokenizer({.vocabulary_size = 257}, words), "trained");
  EXPECT_EQ(tokenizer.vocabulary_size(), 257);
  EXPECT_EQ(tokenizer.end_of_text(), 0);
  EXPECT_TRUE(tokenizer.is_special(0));
  EXPECT_EQ(tokenizer.id_of("!"), 1);
  EXPECT_EQ(tokenizer.decode(std::vector{*tokenizer.id_of("Ġ")}), " ");
}

TEST(LearnTokenizer, FurtherSpecialTokensStandBetweenTheEndOfTextAndTheBytes) {
  WordCounts words;
  for (int i = 0; i < 9; ++i) words.add("<|fim_prefix|><|fim_prefix|> x<|b-2|>");
  const TokenizerTraining training{.vocabulary_size = 300, .special_tokens = {"<|fim_prefix|>", "<|b-2|>"}};
  const Tokenizer tokenizer = Tokenizer::parse(learn_tokenizer(training, words), "trained");
  EXPECT_EQ(tokenizer.id_of("<|endoftext|>"), 0);
  EXPECT_EQ(tokenizer.id_of("<|fim_prefix|>"), 1);
  EXPECT_EQ(tokenizer.id_of("<|b-2|>"), 2);
  EXPECT_EQ(tokenizer.id_of("!"), 3);
  EXPECT_TRUE(tokenizer.is_special(1) && tokenizer.is_special(2) && !tokenizer.is_special(3));
  EXPECT_THAT(tokenizer.encode("<|fim_prefix|>!<|b-2|>"), ElementsAre(1, 3, 2));
  // Strangers' text never gives the special ids, however often it was seen in training.
  for (const TokenId id : tokenizer.encode("<|fim_prefix|>", {.special = SpecialText::kPlain})) EXPECT_GE(id, 3);
}

TEST(LearnTokenizer, RefusesSpecialTokensOfAnotherForm) {
  const auto refused = [](std::vector<std::string> tokens, const char* message) {
    EXPECT_THAT([&] { validate({.vocabulary_size = 300, .special_tokens = tokens}); },
                ThrowsMessage<Error>(HasSubstr(message)));
  };
  for (const char* form : {"", "a", "<||>", "<|_|>", "<|a b|>", "<|a", "a|>", "<s>", "<|é|>", "<|>"})
    refused({"<|fine|>", form}, "a special token must look like <|name|>");
  refused({"<|a|>", "<|b|>", "<|a|>"}, "special token <|a|> is given twice");
  refused({"<|endoftext|>"}, "special token <|endoftext|> is there already");
  EXPECT_THAT([] { validate({.vocabulary_size = 258, .special_tokens = {"<|a|>", "<|b|>"}}); },
              ThrowsMessage<Error>(HasSubstr("must lie in [259, ")));
}

TEST(LearnTokenizer, TakesAnyBytesAndNoText) {
  EXPECT_THAT(merges({}, 300), IsEmpty());
  EXPECT_THAT(merges({"", "\xFF\xFE", "\xFF\xFE"}, 300), ElementsAre(Pair("ÿ", "þ")));
}

TEST(LearnTokenizer, RefusesSizesThatCannotHoldTheBytes) {
  EXPECT_THAT([] { learn_tokenizer({.vocabulary_size = 256}, {}); }, ThrowsMessage<Error>(HasSubstr("got 256")));
  EXPECT_THAT([] { learn_tokenizer({.vocabulary_size = 300, .min_frequency = -1}, {}); },
              ThrowsMessage<Error>(HasSubstr("got -1")));
  try {
    learn_tokenizer({.vocabulary_size = -5}, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
  }
}

}  // namespace
}  // namespace trireme::data
