#include "data/tokenizer/tokenizer.h"

#include <gmock/gmock.h>

#include <random>
#include <thread>

#include "core/base/error.h"
#include "data/tokenizer/byte_alphabet.h"
#include "data/tokenizer/tokenizer_json.h"
#include "data/tokenizer/train_tokenizer.h"

namespace trireme::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

std::string trained() {
  WordCounts words;
  for (int i = 0; i < 3; ++i) {
    words.add("In the beginning God created the heaven and the earth. And the earth was without form, and void;");
    words.add("aaaaaaaaaaaaaaaa aaaa 1234 1234 äöü äöü 中文 中文 --------");
  }
  return learn_tokenizer({.vocabulary_size = 400}, words);
}

Tokenizer make(const std::string& json) { return Tokenizer::parse(json, "test"); }
Tokenizer make(const TokenizerSpec& spec) { return make(write_tokenizer_json(spec)); }

/// Three merges over the bytes, ids by hand: 0 to 255 the bytes, 256 "ab", 257 "bc", 258 "abc".
TokenizerSpec small_spec() {
  TokenizerSpec spec;
  for (int byte = 0; byte < 256; ++byte)
    spec.vocabulary.emplace_back(spell_bytes(std::string(1, static_cast<char>(byte))), byte);
  spec.vocabulary.insert(spec.vocabulary.end(), {{"ab", 256}, {"bc", 257}, {"abc", 258}});
  spec.merges = {{"b", "c"}, {"a", "b"}, {"a", "bc"}};
  return spec;
}

std::string random_bytes(std::mt19937& random, std::size_t size) {
  std::string text(size, '\0');
  for (char& byte : text) byte = static_cast<char>(random());
  return text;
}

TEST(Tokenizer, MergesTheMostUrgentPairFirst) {
  const Tokenizer tokenizer = make(small_spec());
  EXPECT_THAT(tokenizer.encode("abc"), ElementsAre(258));  // bc, then a bc
  EXPECT_THAT(tokenizer.encode("abab"), ElementsAre(256, 256));
  EXPECT_THAT(tokenizer.encode("abbc"), ElementsAre(256, 257));
  EXPECT_THAT(tokenizer.encode(""), IsEmpty());
}

TEST(Tokenizer, DecodeGivesBackAnyBytes) {
  const Tokenizer tokenizer = make(trained());
  std::mt19937 random(5);
  for (std::size_t size = 0; size < 500; ++size) {
    const std::string text = random_bytes(random, size);
    ASSERT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
  }
  std::string planes;  // three characters of each plane, and its last
  for (unsigned plane = 0; plane <= 16; ++plane) {
    for (const unsigned low : {0x0041u, 0x1234u, 0x4E00u, 0xFFFFu}) {
      const unsigned code = plane << 16 | low;
      if (plane == 0) {
        planes += static_cast<char>(0xE0 | code >> 12);
      } else {
        planes += static_cast<char>(0xF0 | code >> 18);
        planes += static_cast<char>(0x80 | (code >> 12 & 0x3F));
      }
      planes += static_cast<char>(0x80 | (code >> 6 & 0x3F));
      planes += static_cast<char>(0x80 | (code & 0x3F));
    }
  }
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(planes)), planes);
}

TEST(Tokenizer, ShortAndLongWordsMergeAlike) {
  // Long pieces go through a heap, short ones through a scan. The same letters, once as one word and once
  // in pieces: "x" merges with nothing, so the parts between do not touch.
  const Tokenizer tokenizer = make(small_spec());
  std::mt19937 random(9);
  std::string whole;
  std::vector<TokenId> expected;
  for (int i = 0; i < 300; ++i) {
    std::string part;
    for (unsigned n = random() % 12; n > 0; --n) part += "abc"[random() % 3];
    part += "x";
    whole += part;
    Tokenizer::Session(tokenizer).encode_to(part, expected);
  }
  EXPECT_EQ(tokenizer.encode(whole), expected);
}

TEST(Tokenizer, TenMegabytesWithoutASpaceTakeSeconds) {
  const Tokenizer tokenizer = make(trained());
  constexpr std::size_t kSize = 10'000'000;
  const std::string same(kSize, 'a');
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(same)), same);
  std::mt19937 random(1);
  std::string letters(kSize, '\0'), bytes = random_bytes(random, kSize), spaces(kSize, ' ');
  for (char& letter : letters) letter = static_cast<char>('a' + random() % 26);
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(letters)), letters);
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(bytes)), bytes);
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(spaces)), spaces);
  EXPECT_EQ(tokenizer.encode(std::string(kSize, '<')).size(), kSize);  // each could begin a special token
}

TEST(Tokenizer, SpecialTextIsParsedOrPlain) {
  const Tokenizer tokenizer = make(trained());
  const std::string text = "the<|endoftext|>the<|endoftex";
  const auto parsed = tokenizer.encode(text), plain = tokenizer.encode(text, {.special = SpecialText::kPlain});
  EXPECT_THAT(parsed, testing::Contains(0).Times(1));
  EXPECT_THAT(plain, testing::Not(testing::Contains(0)));
  EXPECT_EQ(tokenizer.decode(parsed), text);
  EXPECT_EQ(tokenizer.decode(plain), text);
  EXPECT_EQ(tokenizer.decode(parsed, /*skip_special=*/true), "thethe<|endoftex");
}

TEST(Tokenizer, AddedTokensMatchLongestAndTakeSpaceAlong) {
  TokenizerSpec spec = small_spec();
  spec.added = {{.id = 300, .content = "<a>", .normalized = false, .special = true},
                {.id = 301, .content = "<a><b>", .normalized = false, .special = true},
                {.id = 302, .content = "<l>", .lstrip = true, .normalized = true},
                {.id = 303, .content = "<r>", .rstrip = true, .normalized = true}};
  const Tokenizer tokenizer = make(spec);
  EXPECT_THAT(tokenizer.encode("<a><a><b><a>"), ElementsAre(300, 301, 300));
  EXPECT_THAT(tokenizer.encode("a \n<l> b"), ElementsAre('a', 302, ' ', 'b'));
  EXPECT_THAT(tokenizer.encode("a <r> \xE3\x80\x80"
                               "b"),
              ElementsAre('a', ' ', 303, 'b'));
  EXPECT_EQ(tokenizer.vocabulary_size(), 304);
  EXPECT_FALSE(tokenizer.is_special(302));
}

TEST(Tokenizer, PrefixSpaceGoesBeforeEachPieceOfText) {
  TokenizerSpec spec = small_spec();
  spec.add_prefix_space = true;
  spec.added = {{.id = 300, .content = "<a>", .normalized = false, .special = true}};
  EXPECT_THAT(make(spec).encode("a<a>b<a> c"), ElementsAre(' ', 'a', 300, ' ', 'b', 300, ' ', 'c'));
  EXPECT_THAT(make(spec).encode(""), IsEmpty());
}

TEST(Tokenizer, IgnoreMergesTakesAWholeWordFromTheVocabulary) {
  TokenizerSpec spec = small_spec();
  spec.vocabulary.emplace_back("xyz", 400);
  EXPECT_THAT(make(spec).encode("xyz"), ElementsAre('x', 'y', 'z'));
  spec.ignore_merges = true;
  EXPECT_THAT(make(spec).encode("xyz"), ElementsAre(400));
}

TEST(Tokenizer, HolesAndForeignIdsAreErrorsWhenDecoded) {
  TokenizerSpec spec = small_spec();
  spec.vocabulary.emplace_back("xyz", 400);
  const Tokenizer tokenizer = make(spec);
  EXPECT_EQ(tokenizer.vocabulary_size(), 401);
  EXPECT_EQ(tokenizer.decode(std::vector<TokenId>{400}), "xyz");
  EXPECT_THAT([&] { tokenizer.decode(std::vector<TokenId>{399}); }, ThrowsMessage<Error>(HasSubstr("399")));
  EXPECT_THAT([&] { tokenizer.decode(std::vector<TokenId>{401}); }, ThrowsMessage<Error>(HasSubstr("0 to 400")));
  EXPECT_THAT([&] { tokenizer.decode(std::vector<TokenId>{-1}); }, ThrowsMessage<Error>(HasSubstr("-1")));
  EXPECT_FALSE(tokenizer.is_special(-1) || tokenizer.is_special(399) || tokenizer.is_special(401));
  EXPECT_EQ(tokenizer.id_of("nothing"), std::nullopt);
  EXPECT_EQ(tokenizer.end_of_text(), std::nullopt);
}

TEST(Tokenizer, ManyThreadsGetTheIdsOfOne) {
  const Tokenizer tokenizer = make(trained());
  std::mt19937 random(2);
  std::vector<std::string> texts;
  std::vector<std::vector<TokenId>> expected;
  for (int i = 0; i < 200; ++i) {
    texts.push_back("the beginning " + std::to_string(random()) + " and " + random_bytes(random, 40));
    expected.push_back(make(trained()).encode(texts.back()));
  }
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (std::size_t i = 0; i < texts.size(); ++i) EXPECT_EQ(tokenizer.encode(texts[i]), expected[i]);
    });
  }
}

TEST(Tokenizer, KeepsItsFileAndItsHash) {
  const std::string json = write_tokenizer_json(small_spec()) + "\n\n";
  const Tokenizer tokenizer = Tokenizer::parse(json, "test");
  EXPECT_EQ(tokenizer.json(), json);
  EXPECT_EQ(tokenizer.hash().size(), 32u);
  EXPECT_THAT([] { Tokenizer::load("/nowhere/tokenizer.json"); }, ThrowsMessage<Error>(HasSubstr("/nowhere")));
}

}  // namespace
}  // namespace trireme::data
