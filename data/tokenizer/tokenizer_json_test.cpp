#include "data/tokenizer/tokenizer_json.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <random>

#include "core/base/error.h"
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
  expect_refused(R"({"normalizer": {"type": "NFC"}})", R"(normalizer is not supported, must be null, got "NFC")");
  expect_refused(R"({"truncation": {"max_length": 3}})", "truncation");
  expect_refused(R"({"padding": {}})", "padding");
  expect_refused(R"({"pre_tokenizer": null})", "pre_tokenizer");
  expect_refused(R"({"pre_tokenizer": {"type": "Metaspace"}})",
                 R"(pre_tokenizer must be "ByteLevel", got "Metaspace")");
  expect_refused(R"({"pre_tokenizer": {"behavior": "x"}})", "behavior");
  expect_refused(R"({"decoder": {"type": "WordPiece"}})", "decoder");
  expect_refused(R"({"post_processor": {"type": "TemplateProcessing"}})", "post_processor");
  expect_refused(R"({"model": {"type": "Unigram"}})", "model.type");
  expect_refused(R"({"model": {"dropout": 0.1}})", "model.dropout");
  expect_refused(R"({"model": {"continuing_subword_prefix": "##"}})", "model.continuing_subword_prefix");
  expect_refused(R"({"model": {"end_of_word_suffix": "</w>"}})", "model.end_of_word_suffix");
  expect_refused(R"({"model": {"ignore_merges": 1}})", "model.ignore_merges");
  expect_refused(R"({"model": {"novelty": 1}})", "novelty");
  expect_refused(R"({"version": "2.0"})", "version");
  expect_refused(R"({"noramlizer": 1})", "did you mean normalizer?");
  expect_refused(R"({"added_tokens": [{"id": 0, "content": "<|endoftext|>", "single_word": true}]})", "single_word");
}

TEST(TokenizerJson, RefusesVocabulariesThatContradictThemselves) {
  expect_refused(R"({"model": {"vocab": {"zz": 5}}})", "id 5 twice");
  expect_refused(R"({"model": {"vocab": {"zz": -1}}})", "got -1");
  expect_refused(R"({"model": {"vocab": {"zz": 18446744073709551615}}})", "18446744073709551615");
  expect_refused(R"({"model": {"vocab": {"zz": 1.5}}})", "got 1.5");
  expect_refused(R"({"model": {"vocab": {"a": null}}})", "0x61");
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
  EXPECT_THAT([] { parse_tokenizer_json(R"({"model": {"vocab": {"a": 1, "a": 2}}})", "x"); },
              ThrowsMessage<Error>(HasSubstr("vocab has a key twice")));
}

TEST(TokenizerJson, RefusesWhatIsNoJson) {
  for (const std::string text : {"", "{", "nul", "[1, 2]", "\xFF", "3"})
    EXPECT_THAT([&] { parse_tokenizer_json(text, "x"); }, ThrowsMessage<Error>(HasSubstr("x: "))) << text;
  EXPECT_THAT([] { parse_tokenizer_json(std::string(1000000, '['), "x"); }, ThrowsMessage<Error>(HasSubstr("deep")));
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
  const TokenizerSpec before = parse_tokenizer_json(json.dump(), "x");
  json["model"]["merges"] = {"#version: 0.2"};
  for (const auto& [left, right] : before.merges) json["model"]["merges"].push_back(left + " " + right);
  json["model"]["unk_token"] = "<|endoftext|>";
  json["model"]["continuing_subword_prefix"] = "";
  json["model"]["dropout"] = 0.0;
  json["post_processor"] = {{"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", false}};
  EXPECT_EQ(parse_tokenizer_json(json.dump(), "x").merges, before.merges);
}

TEST(TokenizerJson, WhatIsWrittenReadsBack) {
  TokenizerSpec spec = parse_tokenizer_json(valid().dump(), "x");
  spec.add_prefix_space = true;
  spec.use_pattern = false;
  spec.ignore_merges = true;
  spec.added.push_back({.id = 999, .content = "<\"\n\\>", .lstrip = true, .rstrip = true, .normalized = true});
  const TokenizerSpec again = parse_tokenizer_json(write_tokenizer_json(spec), "x");
  EXPECT_EQ(again.add_prefix_space, true);
  EXPECT_EQ(again.use_pattern, false);
  EXPECT_EQ(again.ignore_merges, true);
  EXPECT_EQ(again.vocabulary, spec.vocabulary);
  EXPECT_EQ(again.merges, spec.merges);
  EXPECT_EQ(again.added.at(1).content, spec.added[1].content);
  EXPECT_TRUE(again.added[1].lstrip && again.added[1].rstrip && again.added[1].normalized && !again.added[1].special);
}

}  // namespace
}  // namespace trireme::data
