#include "data/corpus/encode.h"

#include <gmock/gmock.h>

#include <fstream>
#include <random>

#include "core/base/error.h"
#include "data/corpus/testing.h"

namespace trireme::data {
namespace {

using testing::TemporaryDirectory;

TEST(EncodeDocuments, GivesTheSameInTheSameOrderOnAnyNumberOfThreads) {
  const TemporaryDirectory directory;
  std::mt19937 random(1);
  std::string content;
  std::vector<std::string> expected;
  for (int i = 0; i < 20'000; ++i) {
    expected.push_back(std::string(random() % 40, static_cast<char>('a' + i % 26)));
    content += "{\"text\": \"" + expected.back() + "\"}\n";
  }
  std::ofstream(directory / "input.jsonl") << content;
  const Tokenizer tokenizer = testing::bytes_tokenizer();
  std::vector<std::vector<TokenId>> first;
  for (const int threads : {1, 2, 5}) {
    DocumentReader reader({directory / "input.jsonl"});
    std::vector<std::string> texts;
    std::vector<std::vector<TokenId>> ids;
    encode_documents(reader, tokenizer, SpecialText::kParse, threads, [&](auto text, auto its_ids) {
      texts.emplace_back(text);
      ids.emplace_back(its_ids.begin(), its_ids.end());
    });
    EXPECT_EQ(texts, expected) << threads;
    if (first.empty()) first = ids;
    EXPECT_EQ(ids, first) << threads;
  }
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(tokenizer.decode(first[i]), expected[i]);
}

TEST(EncodeDocuments, AnErrorOfTheReceiverEndsIt) {
  const TemporaryDirectory directory;
  std::ofstream(directory / "input.txt") << "one\n\ntwo\n\nthree";
  DocumentReader reader({directory / "input.txt"});
  int taken = 0;
  EXPECT_THROW(encode_documents(reader, testing::bytes_tokenizer(), SpecialText::kParse, 3,
                                [&](auto, auto) {
                                  if (++taken == 2) throw Error(ErrorCode::kIo, "disk full");
                                }),
               Error);
  EXPECT_EQ(taken, 2);
}

}  // namespace
}  // namespace trireme::data
