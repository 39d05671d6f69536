#include "data/corpus/encode.h"

#include <gmock/gmock.h>

#include <random>

#include "core/base/error.h"
#include "data/corpus/testing.h"

namespace trireme::data {
namespace {

struct Documents {
  std::vector<std::string> texts;
  std::vector<std::vector<TokenId>> ids;
  void clear() { texts.clear(), ids.clear(); }
};

// Puts documents into the chunk that they belong to.
void keep(std::string_view text, std::span<const TokenId> ids, Documents& chunk) {
  chunk.texts.emplace_back(text);
  chunk.ids.emplace_back(ids.begin(), ids.end());
}

TEST(EncodeDocuments, GivesTheSameInTheSameOrderOnAnyNumberOfThreads) {
  std::mt19937 random(1);
  std::string content;
  std::vector<std::string> expected;
  for (int i = 0; i < 60'000; ++i) {
    expected.push_back(std::string(random() % 40, static_cast<char>('a' + i % 26)));
    content += "{\"text\": \"" + expected.back() + "\"}\n";
  }
  const Tokenizer tokenizer = testing::bytes_tokenizer();
  std::vector<std::vector<TokenId>> first;
  for (const int threads : {1, 2, 5}) {
    DocumentReader reader({memory_input("memory", {.json_lines = true}, content)});
    Documents all;
    std::uint64_t bytes = 0;
    encode_documents<Documents>(reader, tokenizer, {}, threads, keep,
                                [&](const Documents& chunk, std::uint64_t bytes_taken) {
                                  EXPECT_GE(bytes_taken, bytes);
                                  bytes = bytes_taken;
                                  all.texts.insert(all.texts.end(), chunk.texts.begin(), chunk.texts.end());
                                  all.ids.insert(all.ids.end(), chunk.ids.begin(), chunk.ids.end());
                                });
    EXPECT_EQ(bytes, content.size());
    EXPECT_EQ(all.texts, expected) << threads;
    if (first.empty()) first = all.ids;
    EXPECT_EQ(all.ids, first) << threads;
  }
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(tokenizer.decode(first[i]), expected[i]);
}

TEST(EncodeDocuments, AnErrorOfTheReceiverEndsIt) {
  const std::string content(3'000'000, 'x');
  DocumentReader reader({memory_input("memory", {}, content)});
  int taken = 0;
  EXPECT_THROW(encode_documents<Documents>(reader, testing::bytes_tokenizer(), {}, 3, keep,
                                           [&](const Documents&, std::uint64_t) {
                                             if (++taken == 2) throw Error(ErrorCode::kIo, "disk full");
                                           }),
               Error);
  EXPECT_EQ(taken, 2);
}

TEST(EncodeDocuments, WhatComesBeforeABadDocumentIsHandedOverFirst) {
  std::string content;
  for (int i = 0; i < 50'000; ++i) content += "{\"text\": \"fine\"}\n";
  content += "{\"text\": 5}\n";
  for (const int threads : {1, 4}) {
    DocumentReader reader({memory_input("memory", {.json_lines = true}, content)});
    std::size_t taken = 0;
    EXPECT_THAT(
        [&] {
          encode_documents<Documents>(reader, testing::bytes_tokenizer(), {}, threads, keep,
                                      [&](const Documents& chunk, std::uint64_t) { taken += chunk.texts.size(); });
        },
        ::testing::ThrowsMessage<Error>(::testing::HasSubstr("line 50001")));
    EXPECT_GT(taken, 30'000u);
  }
}

}  // namespace
}  // namespace trireme::data
