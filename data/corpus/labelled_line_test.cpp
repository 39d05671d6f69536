#include "data/corpus/labelled_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"

namespace trireme::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Optional;

std::string place() { return "texts.jsonl line 7"; }
const LabelledFields kTexts{Labels::Of::kTexts, "text", "label"}, kTokens{Labels::Of::kTokens, "tokens", "tags"};

TEST(LabelledLine, TakesTextsWithALabel) {
  const auto line = LabelledLine::parse(R"({"label": "good", "id": 3, "text": "well made"})", kTexts, place);
  EXPECT_EQ(line.text, "well made");
  EXPECT_FALSE(line.ids);
  EXPECT_THAT(line.labels, ElementsAre(Optional(std::string("good"))));
  const auto label = [](const char* text) { return *LabelledLine::parse(text, kTexts, place).labels.at(0); };
  EXPECT_EQ(label(R"({"text": "x", "label": 3})"), "3");
  EXPECT_EQ(label(R"({"text": "x", "label": true})"), "true");
}

TEST(LabelledLine, TakesWordsAndIdsWithALabelEach) {
  const auto words = LabelledLine::parse(R"({"tokens": ["EU", "rejects"], "tags": ["ORG", null]})", kTokens, place);
  EXPECT_THAT(words.words, ElementsAre("EU", "rejects"));
  EXPECT_EQ(words.text, "EU rejects");
  EXPECT_THAT(words.labels, ElementsAre(Optional(std::string("ORG")), std::nullopt));
  const auto ids = LabelledLine::parse(R"({"token_ids": [5, 6, 7], "tags": [1, -100, 0]})", kTokens, place);
  EXPECT_THAT(*ids.ids, ElementsAre(5, 6, 7));
  EXPECT_THAT(ids.labels, ElementsAre(Optional(std::string("1")), std::nullopt, Optional(std::string("0"))));
}

TEST(LabelledLine, RefusesOthersByPlaceAndMember) {
  const auto refuses = [](const LabelledFields& fields, const char* text, const char* why) {
    try {
      LabelledLine::parse(text, fields, place);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kBadInput);
      EXPECT_THAT(error.what(), HasSubstr("texts.jsonl line 7"));
      EXPECT_THAT(error.what(), HasSubstr(why));
    }
  };
  refuses(kTexts, "[1]", "");
  refuses(kTexts, "{", "");
  refuses(kTexts, R"({"text": "x", "label": "a", "label": "b"})", "label");
  refuses(kTexts, "{\"text\": \"\xff\", \"label\": \"a\"}", "UTF-8");
  refuses(kTexts, R"({"text": "x", "label": -1})", "\"label\" must be the name of a label");
  refuses(kTokens, R"({"token_ids": [1], "tags": [-1]})", "null or -100, got -1");
  refuses(kTexts, R"({"text": "x"})", "no member \"label\"");
  refuses(kTexts, R"({"label": "x"})", "no member \"text\"");
  refuses(kTexts, R"({"text": ["x"], "label": "a"})", "\"text\" must be a text");
  refuses(kTexts, R"({"text": "x", "label": null})", "\"label\" must be the name of a label");
  refuses(kTexts, R"({"text": "x", "label": ""})", "\"label\" must be the name of a label");
  refuses(kTexts, R"({"text": "x", "label": 0.5})", "\"label\" must be the name of a label");
  refuses(kTexts, R"({"token_ids": [], "label": "a"})", "\"token_ids\" must be a list of ids");
  refuses(kTexts, R"({"token_ids": [1, -2], "label": "a"})", "got -2 in it");
  refuses(kTexts, R"({"token_ids": [4294967296], "label": "a"})", "\"token_ids\" must be a list of ids");
  refuses(kTokens, R"({"tokens": "EU rejects", "tags": ["a", "b"]})", "must be a list of words");
  refuses(kTokens, R"({"tokens": ["EU"], "tags": ["a", "b"]})", "must be a list of 1, one for each word, got 2");
  refuses(kTokens, R"({"token_ids": [1, 2], "tags": "a"})", "must be a list of 2, one for each token");
}

TEST(LabelNames, AreNumberedInOrderAndByNumber) {
  const LabelNames given({"neg", "pos"});
  EXPECT_EQ(given.number_of("pos", place), 1);
  EXPECT_EQ(given.number_of("0", place), 0) << "digits that are no name are a number";
  EXPECT_EQ(LabelNames({"1", "0"}).number_of("0", place), 1) << "a name goes first";
  EXPECT_THROW(LabelNames({"1", "2", "3"}).number_of("0", place), Error) << "among numbers it is none of them";
  EXPECT_THROW(LabelNames({"a", "\xff"}), Error);
  EXPECT_THAT(LabelNames::found({"10", "9", "-1"}).names(), ElementsAre("-1", "9", "10"));
  EXPECT_THAT(LabelNames::found({"10", "9", "b"}).names(), ElementsAre("10", "9", "b"));
  for (const char* label : {"Pos", "2", "-1"}) {
    try {
      given.number_of(label, place);
      ADD_FAILURE() << label;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("is no label"));
      EXPECT_THAT(error.what(), HasSubstr("the labels are neg, pos"));
    }
  }
  EXPECT_THROW(LabelNames({"a"}), Error);
  EXPECT_THROW(LabelNames({"a", "b", "a"}), Error);
}

}  // namespace
}  // namespace trireme::data
