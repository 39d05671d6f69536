// What every kind of tokenizer.json shares, on files by hand; tests/golden/tokenizer_kinds_oracle.py holds ids and
// offsets against PyPI's tokenizers.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "data/tokenizer/tokenizer.h"

namespace trireme::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;
using Json = nlohmann::json;

Tokenizer make(const Json& json) { return Tokenizer::parse(json.dump(), "test"); }

/// Words and their parts, with the marks that BERT has.
Json word_piece() {
  return Json::parse(R"({
    "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null,
                   "lowercase": true},
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": {"type": "BertProcessing", "cls": ["[CLS]", 1], "sep": ["[SEP]", 2]},
    "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
    "added_tokens": [{"id": 1, "content": "[CLS]", "special": true}, {"id": 2, "content": "[SEP]", "special": true}],
    "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
              "max_input_chars_per_word": 10,
              "vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "play": 3, "##ing": 4, "##er": 5, "!": 6, "p": 7, "中": 8}}
  })");
}

/// SentencePiece's pairs, with bytes for what is unknown.
Json byte_fallback() {
  Json json = Json::parse(R"({
    "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"},
                   {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
    "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
    "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true,
              "vocab": {"<unk>": 0, "▁": 1, "a": 2, "b": 3, "ab": 4, "▁ab": 5}, "merges": ["a b", "▁ ab"]}
  })");
  char name[8];
  for (int byte = 0; byte < 256; ++byte) {
    std::snprintf(name, sizeof name, "<0x%02X>", byte);
    json["model"]["vocab"][name] = 10 + byte;
  }
  return json;
}

TEST(TokenizerKinds, WordPieceTakesTheLongestPartsAndTheUnknownForAWord) {
  const Tokenizer tokenizer = make(word_piece());
  EXPECT_THAT(tokenizer.encode("Playing! pläy player"), ElementsAre(1, 3, 4, 6, 3, 3, 5, 2));
  EXPECT_THAT(tokenizer.encode("playx 中play"), ElementsAre(1, 0, 8, 3, 2));
  EXPECT_THAT(tokenizer.encode("playerererer"), ElementsAre(1, 0, 2));  // longer than a word may be
  EXPECT_THAT(tokenizer.encode("play", {.add_special_tokens = false}), ElementsAre(3));
  EXPECT_THAT(tokenizer.encode(""), ElementsAre(1, 2));
}

TEST(TokenizerKinds, SpansAreBytesOfTheTextAsItWas) {
  const Encoding encoding = make(word_piece()).encode_with_spans("Pl\xC3\xA4ying \xE4\xB8\xAD!");
  EXPECT_THAT(encoding.ids, ElementsAre(1, 3, 4, 8, 6, 2));
  EXPECT_THAT(encoding.spans, ElementsAre(TextSpan{0, 0}, TextSpan{0, 5}, TextSpan{5, 8}, TextSpan{9, 12},
                                          TextSpan{12, 13}, TextSpan{0, 0}));
}

TEST(TokenizerKinds, BytesStandForWhatIsUnknown) {
  const Tokenizer tokenizer = make(byte_fallback());
  EXPECT_THAT(tokenizer.encode("ab ab"), ElementsAre(5, 5));
  EXPECT_THAT(tokenizer.encode("\xC3\xA4"), ElementsAre(1, 10 + 0xC3, 10 + 0xA4));
  for (const std::string text : {"ab \xC3\xA4 b", "a", "\xE4\xB8\xAD\xE6\x96\x87 ab", "  ab  "})
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
  // No text at all, but still bytes.
  EXPECT_THAT(tokenizer.encode("\xFF"), ElementsAre(1, 10 + 0xFF));
}

TEST(TokenizerKinds, AStreamGivesWholeCharactersAsSoonAsTheyAreCertain) {
  const Tokenizer tokenizer = make(byte_fallback());
  Tokenizer::DecodeStream stream(tokenizer);
  EXPECT_EQ(stream.push(5), "ab");  // the text's first space is none
  EXPECT_EQ(stream.push(10 + 0xE4), "");
  EXPECT_EQ(stream.push(10 + 0xB8), "");
  EXPECT_EQ(stream.push(10 + 0xAD), "\xE4\xB8\xAD");
  EXPECT_EQ(stream.push(5), " ab");
  EXPECT_EQ(stream.push(1000), "");  // no token
  EXPECT_EQ(stream.push(10 + 0xE4), "");
  EXPECT_EQ(stream.finish(), "\xEF\xBF\xBD");
}

TEST(TokenizerKinds, AStreamGoesOnWhereItsPromptEnds) {
  const Tokenizer tokenizer = make(byte_fallback());
  const std::vector<TokenId> prompt = {5, 10 + 0xE4};
  Tokenizer::DecodeStream stream(tokenizer);
  stream.prime(prompt);
  EXPECT_EQ(stream.push(10 + 0xB8), "");
  EXPECT_EQ(stream.push(10 + 0xAD), "\xE4\xB8\xAD");
  EXPECT_EQ(stream.push(5), " ab");

  Json ends = byte_fallback();
  ends["decoder"] = {{"type", "BPEDecoder"}, {"suffix", "b"}};  // waits for the next token
  const Tokenizer waiting = make(ends);
  Tokenizer::DecodeStream words(waiting);
  words.prime(std::vector<TokenId>{4, 4});
  EXPECT_EQ(words.push(4), " ");
  EXPECT_EQ(words.push(2), "a ");
  EXPECT_EQ(words.finish(), "a");
}

TEST(TokenizerKinds, UnigramTakesTheBestScore) {
  Json json = Json::parse(R"({"model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0], ["a", -2], ["b", -2],
      ["ab", -3], ["abab", -7], ["ba", -1]]}})");
  EXPECT_THAT(make(json).encode("abab"), ElementsAre(1, 5, 2));  // a ba b: -5, before ab ab: -6
  EXPECT_THAT(make(json).encode("ab"), ElementsAre(3));
  EXPECT_THAT(make(json).encode("axya"), ElementsAre(1, 0, 1));  // what is unknown is one
  json["model"].erase("unk_id");
  EXPECT_THAT([&] { make(json).encode("axya"); }, ThrowsMessage<Error>(HasSubstr("no token for \"x\"")));
}

TEST(TokenizerKinds, WhatIsUnknownIsNoFaultBesideABetterWay) {
  const Tokenizer tokenizer =
      make(Json::parse(R"({"model": {"type": "Unigram", "vocab": [["t", -1], ["h", -1], ["th", -1], ["he", -1]]}})"));
  EXPECT_THAT(tokenizer.encode("the"), ElementsAre(0, 3));  // "th" goes before an "e" that has no token
}

TEST(TokenizerKinds, SpansOfBytesThatStandForMarksLieInTheText) {
  Json json = byte_fallback();
  json["model"]["end_of_word_suffix"] = "</w>";
  const Encoding encoding = make(json).encode_with_spans("\xC3\xA4");
  EXPECT_GT(encoding.ids.size(), 2u);
  for (const TextSpan& span : encoding.spans) EXPECT_LE(span.end, 2u);
}

TEST(TokenizerKinds, AnAddedTokenDecodesAsItIsLookedFor) {
  Json json = word_piece();
  json["added_tokens"].push_back({{"id", 9}, {"content", "NEW"}, {"normalized", true}});
  json["added_tokens"].push_back({{"id", 10}, {"content", "OLD"}, {"normalized", false}});
  EXPECT_EQ(make(json).decode(std::vector<TokenId>{9, 10}), "new OLD");
}

TEST(TokenizerKinds, AStageThatNeedsWholeTokensGetsThem) {
  Json json = byte_fallback();
  const Json strip = {{"type", "Strip"}, {"content", " "}, {"start", 2}, {"stop", 0}};
  const Json word_piece = {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", false}};
  const auto decoded = [&](const std::vector<Json>& decoders, const std::vector<TokenId>& ids) {
    json["decoder"] = {{"type", "Sequence"}, {"decoders", decoders}};
    const Tokenizer tokenizer = make(json);
    Tokenizer::DecodeStream stream(tokenizer);
    std::string streamed;
    for (const TokenId id : ids) streamed += stream.push(id);
    EXPECT_EQ(streamed + stream.finish(), tokenizer.decode(ids));
    return tokenizer.decode(ids);
  };
  EXPECT_EQ(decoded({Json{{"type", "Fuse"}}, strip, word_piece}, {2, 3}), "ab");
  EXPECT_EQ(decoded({Json{{"type", "ByteFallback"}}, word_piece}, {2, 10 + 'x', 10 + 'y', 3}), "a xy b");
}

TEST(TokenizerKinds, ClassesOfPatternsAreThoseOfTheFormat) {
  const auto pieces = [](const std::string& regex, const std::string& text) {
    Json json = Json::parse(R"({"pre_tokenizer": {"type": "Split", "behavior": "Removed", "invert": false},
        "model": {"type": "WordLevel", "unk_token": "?", "vocab": {"?": 0}}})");
    json["pre_tokenizer"]["pattern"] = {{"Regex", regex}};
    std::vector<std::string> found;
    for (const TextSpan& span : make(json).encode_with_spans(text).spans)
      found.push_back(text.substr(span.begin, span.end - span.begin));
    return found;
  };
  EXPECT_THAT(pieces("[[:punct:]]", "a+b.c"), ElementsAre("a", "b", "c"));  // symbols are
  EXPECT_THAT(pieces("\\p{Han}",
                     "a\xE3\x80\x81"
                     "b"),
              ElementsAre("a\xE3\x80\x81"
                          "b"));  // U+3001 is used with it only
  EXPECT_THAT(pieces("\\p{Han}",
                     "a\xF0\xB1\x8D\x90"
                     "b"),
              ElementsAre("a", "b"));  // U+31350 of Unicode 15
  EXPECT_THAT(pieces("\\b", "a\xC2\xB2 b"), ElementsAre("a\xC2\xB2", " ", "b"));
  EXPECT_THAT([&] { pieces("\\p{Emoji}", ""); },
              ThrowsMessage<Error>(HasSubstr("\\p{Emoji}\", which is not supported")));
}

TEST(TokenizerKinds, TruncationCountsWhatComesAround) {
  Json json = word_piece();
  json["truncation"] = {{"max_length", 4}, {"strategy", "LongestFirst"}, {"stride", 0}, {"direction", "Right"}};
  EXPECT_THAT(make(json).encode("play ! ! ! p", {.truncate = true}), ElementsAre(1, 3, 6, 2));
  EXPECT_THAT(make(json).encode("play ! ! ! p"), ElementsAre(1, 3, 6, 6, 6, 7, 2));
  json["truncation"]["direction"] = "Left";
  EXPECT_THAT(make(json).encode("play ! ! ! p", {.truncate = true}), ElementsAre(1, 6, 7, 2));
  json["truncation"]["max_length"] = 1;
  EXPECT_THAT(make(json).encode("play", {.truncate = true}), ElementsAre(1, 2));
}

TEST(TokenizerKinds, BodyIsWhatCameFromTheText) {
  const Tokenizer tokenizer = make(word_piece());
  const std::vector<TokenId> ids = tokenizer.encode("play!");
  EXPECT_THAT(tokenizer.body(ids), ElementsAre(3, 6));
  EXPECT_THAT(tokenizer.body(std::vector<TokenId>{3, 6}), ElementsAre(3, 6));
  EXPECT_THAT(tokenizer.body(std::vector<TokenId>{1, 2}), IsEmpty());
  EXPECT_THAT(tokenizer.body({}), IsEmpty());
  EXPECT_EQ(tokenizer.decode(tokenizer.body(ids)), "play!");
}

TEST(TokenizerKinds, SingleWordsAreNotFoundWithinWords) {
  Json json = word_piece();
  json["added_tokens"].push_back({{"id", 20}, {"content", "p"}, {"single_word", true}, {"normalized", false}});
  json["model"]["vocab"].erase("p");
  EXPECT_THAT(make(json).encode("p play p!", {.add_special_tokens = false}), ElementsAre(20, 3, 20, 6));
}

Json with_pattern(const std::string& pattern) {
  Json json = byte_fallback();
  json["normalizer"] = nullptr;
  json["pre_tokenizer"] = {
      {"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}};
  return json;
}

TEST(TokenizerKinds, AHostilePatternEndsWithAnErrorThatNamesIt) {
  for (const char* pattern : {"(a*)*b", "(a|aa)+$", "(?:a?){30}a{30}", "(a|b|ab)*c", "((a+)+)+x"}) {
    const Tokenizer tokenizer = make(with_pattern(pattern));
    try {
      tokenizer.encode(std::string(20000, 'a'));  // some find an end
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kBadInput);
      EXPECT_THAT(error.what(), HasSubstr("needs too many steps"));
    }
  }
}

TEST(TokenizerKinds, ALongTextIsNoHostilePattern) {
  const Tokenizer tokenizer = make(with_pattern(R"( ?\p{L}+|\s*[\r\n]+|\s+(?!\S)|\s+|[^\s\p{L}]+)"));
  for (const std::string part : {"a", " ", "ab ", "\xE4\xB8\xAD", "!", " \xC3\xA4\n"}) {
    std::string text;
    while (text.size() < 2'000'000) text += part;
    EXPECT_NO_THROW(tokenizer.encode(text)) << part;
  }
}

TEST(TokenizerKinds, ANormalizerCannotGrowTextWithoutEnd) {
  Json json = byte_fallback();
  Json doubles = Json::array();
  for (int i = 0; i < 60; ++i)
    doubles.push_back({{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "aa"}});
  json["normalizer"]["normalizers"] = doubles;
  EXPECT_THAT([&] { make(json).encode("aaaa"); }, ThrowsMessage<Error>(HasSubstr("normalizer makes more than")));
  for (int i = 0; i < 5; ++i) doubles.push_back(doubles[0]);
  json["normalizer"]["normalizers"] = doubles;
  EXPECT_THAT([&] { make(json); }, ThrowsMessage<Error>(HasSubstr("at most 64 parts")));
}

}  // namespace
}  // namespace trireme::data
