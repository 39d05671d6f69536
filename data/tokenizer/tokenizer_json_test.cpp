#include "data/tokenizer/tokenizer_json.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <random>

#include "core/base/error.h"
#include "data/tokenizer/tokenizer.h"
#include "data/tokenizer/train_tokenizer.h"

namespace trireme::data {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;
using Json = nlohmann::json;

Json valid() {
  WordCounts words;
  words.add("the the that");
  return Json::parse(learn_tokenizer({.vocabulary_size = 259}, words));
}

/// Expects that valid() with `changes` (an RFC 7386 merge patch) is refused, with `part` in the message.
void expect_refused(const char* changes, const char* part) {
  Json json = valid();
  json.merge_patch(Json::parse(changes));
  try {
    Tokenizer::parse(json.dump(), "some.json");
    ADD_FAILURE() << "not refused: " << changes;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kBadInput);
    EXPECT_THAT(error.what(), HasSubstr("some.json: "));
    EXPECT_THAT(error.what(), HasSubstr(part));
  }
}

TEST(TokenizerJson, RefusesByNameWhatWouldChangeIds) {
  expect_refused(R"({"normalizer": {"type": "NFX"}})", R"(normalizer.type "NFX" is not supported; known are Bert)");
  expect_refused(R"({"normalizer": {"type": "NFC", "speed": 1}})", "speed");
  expect_refused(R"({"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}})", "precompiled_charsmap");
  expect_refused(R"({"normalizer": {"type": "Precompiled", "precompiled_charsmap": "?"}})", "precompiled_charsmap");
  expect_refused(R"({"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Magic"}]}})",
                 R"(normalizer.normalizers[1].type "Magic")");
  expect_refused(R"({"normalizer": {"type": "Replace", "pattern": {"String": ""}, "content": "x"}})", "is empty");
  expect_refused(R"({"truncation": {"max_length": 0, "strategy": "LongestFirst", "stride": 0}})", "max_length");
  expect_refused(R"({"truncation": {"max_length": 3, "strategy": "OnlySecond", "stride": 0}})", "OnlySecond");
  expect_refused(R"({"pre_tokenizer": {"type": "UnicodeScripts"}})", "UnicodeScripts");
  expect_refused(R"({"pre_tokenizer": {"behavior": "x"}})", "behavior");
  expect_refused(R"({"decoder": {"type": "Wordpiece"}})", "decoder.type");
  expect_refused(R"({"post_processor": {"type": "TemplateProcessing"}})", "post_processor.special_tokens is missing");
  expect_refused(R"({"post_processor": {"type": "TemplateProcessing", "special_tokens": {}, "single": []}})",
                 "$A, once");
  expect_refused(R"({"post_processor": {"type": "BertProcessing", "cls": ["x", 0], "sep": ["y", 900]}})", "900");
  expect_refused(R"({"model": {"type": "Trigram"}})", "model.type");
  expect_refused(R"({"model": {"dropout": 0.1}})", "model.dropout");
  expect_refused(R"({"model": {"continuing_subword_prefix": "####"}})", "continuing_subword_prefix");
  expect_refused(R"({"model": {"ignore_merges": 1}})", "model.ignore_merges");
  expect_refused(R"({"model": {"novelty": 1}})", "novelty");
  expect_refused(R"({"version": "2.0"})", "version");
  expect_refused(R"({"noramlizer": 1})", "did you mean normalizer?");
}

void expect_pattern_refused(const std::string& pattern, const char* part) {
  const Json split = {
      {"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}};
  Json json = valid();
  json["pre_tokenizer"] = split;
  EXPECT_THAT([&] { Tokenizer::parse(json.dump(), "x"); }, ThrowsMessage<Error>(HasSubstr(part))) << pattern;
}

TEST(TokenizerJson, RefusesPatternsThatTheirEngineReadsDifferently) {
  expect_pattern_refused("[a-z&&[^b]]", "&&");
  expect_pattern_refused("[a[b]]", "class within a class");
  expect_pattern_refused(R"(a\Kb)", "K");
  expect_pattern_refused(R"((?<x>a)\g<x>)", "g");
  expect_pattern_refused("(*LIMIT_MATCH=9)a", "(*");
  expect_pattern_refused("(a", "parenthes");
  expect_pattern_refused(R"(\p{Nonsense})", "not supported");
  expect_pattern_refused(std::string(20000, 'a'), "16384");
}

TEST(TokenizerJson, RefusesVocabulariesThatContradictThemselves) {
  expect_refused(R"({"model": {"vocab": {"zz": 5}}})", "id 5 twice");
  expect_refused(R"({"model": {"vocab": {"zz": -1}}})", "got -1");
  expect_refused(R"({"model": {"vocab": {"zz": 18446744073709551615}}})", "18446744073709551615");
  expect_refused(R"({"model": {"vocab": {"zz": 1.5}}})", "got 1.5");
  expect_refused(R"({"model": {"merges": ["t h", "q zz"]}})", R"("zz")");
  expect_refused(R"({"model": {"merges": ["t h", "t h"]}})", "twice");
  expect_refused(R"({"model": {"merges": ["t  h"]}})", "model.merges[0]");
  expect_refused(R"({"model": {"merges": [["t"]]}})", "model.merges[0]");
  expect_refused(R"({"model": {"merges": ["x y"]}})", R"("xy")");
  expect_refused(R"({"model": {"merges": ["x y"]}, "added_tokens": [{"id": 900, "content": "xy"}]})", R"("xy")");
  expect_refused(R"({"added_tokens": [{"id": 7, "content": "<|endoftext|>"}]})", "has id 7, but elsewhere id 0");
  expect_refused(R"({"added_tokens": [{"id": 7, "content": "<new>"}]})", "belongs to another token");
  expect_refused(R"({"added_tokens": [{"id": 900, "content": "<new>"}, {"id": 900, "content": "<new>"}]})", "twice");
  expect_refused(R"({"added_tokens": [{"id": 900, "content": ""}]})", "added_tokens[0].content");
}

TEST(TokenizerJson, RefusesAKeyThatIsThereTwice) {
  EXPECT_THAT([] { Tokenizer::parse(R"({"model": {"vocab": {"a": 1, "a": 2}}})", "x"); },
              ThrowsMessage<Error>(HasSubstr("vocab has a key twice")));
}

TEST(TokenizerJson, RefusesWhatIsNoJson) {
  for (const std::string text : {"", "{", "nul", "[1, 2]", "\xFF", "3"})
    EXPECT_THAT([&] { Tokenizer::parse(text, "x"); }, ThrowsMessage<Error>(HasSubstr("x: "))) << text;
  EXPECT_THAT([] { Tokenizer::parse(std::string(1000000, '['), "x"); }, ThrowsMessage<Error>(HasSubstr("deep")));
}

TEST(TokenizerJson, NoDamageCrashesIt) {
  const std::string good = valid().dump();
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    std::string damaged = good.substr(0, round % 3 == 0 ? random() % good.size() : good.size());
    for (int i = 0; i < 4 && !damaged.empty(); ++i) damaged[random() % damaged.size()] = static_cast<char>(random());
    try {
      Tokenizer::parse(damaged, "damaged").encode("the that <|endoftext|>");
    } catch (const Error&) {
    }
  }
}

TEST(TokenizerJson, TakesMergesAsStringsAndSettingsWithoutEffect) {
  Json json = valid();
  const std::string text = "the that <|endoftext|> th";
  const auto before = Tokenizer::parse(json.dump(), "x").encode(text);
  const auto pairs = json["model"]["merges"].get<std::vector<std::pair<std::string, std::string>>>();
  json["model"]["merges"] = {"#version: 0.2"};
  for (const auto& [left, right] : pairs) json["model"]["merges"].push_back(left + " " + right);
  json["model"]["unk_token"] = "<|endoftext|>";
  json["model"]["continuing_subword_prefix"] = "";
  json["model"]["dropout"] = 0.0;
  json["padding"] = {{"strategy", "BatchLongest"}};
  json["post_processor"] = {{"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", false}};
  EXPECT_EQ(Tokenizer::parse(json.dump(), "x").encode(text), before);
}

TEST(TokenizerJson, WritesWhatPypiWould) {
  TokenizerSpec spec;
  spec.add_prefix_space = true;
  spec.use_pattern = false;
  spec.ignore_merges = true;
  spec.vocabulary = {{"a", 0}, {"b", 1}, {"ab", 2}};
  spec.merges = {{"a", "b"}};
  spec.added.push_back({.id = 999, .content = "<\"\n\\>", .single_word = true, .lstrip = true, .rstrip = true});
  const Json json = Json::parse(write_tokenizer_json(spec));
  EXPECT_EQ(
      json["pre_tokenizer"],
      Json::parse(R"({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": false})"));
  EXPECT_EQ(json["model"]["ignore_merges"], true);
  EXPECT_EQ(json["model"]["vocab"], (Json{{"a", 0}, {"b", 1}, {"ab", 2}}));
  EXPECT_EQ(json["model"]["merges"], Json::parse(R"([["a", "b"]])"));
  EXPECT_EQ(json["added_tokens"][0], (Json{{"id", 999},
                                           {"content", "<\"\n\\>"},
                                           {"single_word", true},
                                           {"lstrip", true},
                                           {"rstrip", true},
                                           {"normalized", true},
                                           {"special", false}}));
}

}  // namespace
}  // namespace trireme::data
