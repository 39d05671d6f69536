#include "data/corpus/corpus.h"

#include <gmock/gmock.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/hash.h"
#include "data/corpus/index.h"
#include "data/corpus/testing.h"

namespace trireme::data {
namespace {

using ::testing::AllOf;
using testing::bytes_tokenizer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::TemporaryDirectory;
using ::testing::ThrowsMessage;
using testing::token_at;

std::vector<TokenId> ids_from(std::int64_t begin, std::int64_t count) {
  std::vector<TokenId> ids;
  for (std::int64_t i = 0; i < count; ++i) ids.push_back(token_at(begin + i));
  return ids;
}

std::vector<TokenId> read_all(const Corpus& corpus) {
  std::vector<TokenId> tokens(static_cast<std::size_t>(corpus.tokens()));
  corpus.read(0, tokens);
  return tokens;
}

std::vector<fs::path> names_in(const fs::path& directory) {
  std::vector<fs::path> names;
  for (const auto& entry : fs::directory_iterator(directory)) names.push_back(entry.path().filename());
  return names;
}

ErrorCode code_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "nothing was thrown";
  return ErrorCode::kBug;
}

TEST(Corpus, GivesBackDocumentsInOrderEachWithItsEndOfText) {
  const TemporaryDirectory directory;
  CorpusWriter writer(directory / "corpus/", bytes_tokenizer());
  writer.add(Split::kTraining, std::vector<TokenId>{1, 2, 3}, 3);
  writer.add(Split::kTraining, {}, 0);
  writer.add(Split::kValidation, std::vector<TokenId>{9}, 1);
  writer.add(Split::kTraining, std::vector<TokenId>{4}, 5);
  writer.finish();
  EXPECT_THAT(names_in(directory.path()), ElementsAre("corpus"));

  const Corpus training = Corpus::open(directory / "corpus", Split::kTraining);
  EXPECT_THAT(read_all(training), ElementsAre(1, 2, 3, 256, 256, 4, 256));
  EXPECT_EQ(training.documents(), 3);
  EXPECT_EQ(training.text_bytes(), 8);
  EXPECT_EQ(training.document(0), std::pair(std::int64_t{0}, std::int64_t{4}));
  EXPECT_EQ(training.document(1), std::pair(std::int64_t{4}, std::int64_t{5}));
  EXPECT_EQ(training.document(2), std::pair(std::int64_t{5}, std::int64_t{7}));
  EXPECT_EQ(training.vocabulary_size(), 257);
  EXPECT_EQ(training.tokenizer_json(), testing::bytes_tokenizer_json());
  EXPECT_EQ(training.tokenizer_hash(), bytes_tokenizer().hash());
  EXPECT_THAT(read_all(Corpus::open(directory / "corpus", Split::kValidation)), ElementsAre(9, 256));
  EXPECT_THAT(verify_corpus(directory / "corpus"), IsEmpty());
}

TEST(Corpus, AnEmptyValidationSplitOpensAsEmpty) {
  const TemporaryDirectory directory;
  testing::one_document_corpus(directory / "corpus", 10);
  EXPECT_EQ(Corpus::open(directory / "corpus", Split::kValidation).tokens(), 0);
}

TEST(Corpus, ContentHashDependsOnTokensAndNotOnShards) {
  const TemporaryDirectory directory;
  const auto write = [&](const std::string& name, std::uint64_t shard_bytes, TokenId last) {
    CorpusWriter writer(directory / name, bytes_tokenizer(), shard_bytes);
    for (std::int64_t i = 0; i < 20; ++i) writer.add(Split::kTraining, ids_from(i, i), i);
    writer.add(Split::kTraining, std::vector<TokenId>{last}, 1);
    writer.finish();
    return Corpus::open(directory / name, Split::kTraining).content_hash();
  };
  const std::string hash = write("whole", 1 << 20, 7);
  EXPECT_EQ(write("cut", 32, 7), hash);
  EXPECT_NE(write("other", 1 << 20, 8), hash);
  EXPECT_THAT(verify_corpus(directory / "cut"), IsEmpty());
}

TEST(Corpus, ReadsAcrossShardsAndKeepsDocumentsWhole) {
  const TemporaryDirectory directory;
  CorpusWriter writer(directory / "corpus", bytes_tokenizer(), /*shard_bytes=*/100);
  std::vector<TokenId> expected;
  for (std::int64_t i = 0; i < 40; ++i) {
    const auto ids = ids_from(100 * i, i == 20 ? 200 : i);  // one is larger than a shard
    writer.add(Split::kTraining, ids, i);
    expected.insert(expected.end(), ids.begin(), ids.end());
    expected.push_back(256);
  }
  writer.finish();
  const CorpusIndex index = read_corpus_index(directory / "corpus");
  EXPECT_GT(index.split(Split::kTraining).shards.size(), 10u);
  for (const ShardEntry& shard : index.split(Split::kTraining).shards)
    EXPECT_TRUE(shard.tokens <= 50 || shard.documents == 1) << shard.file;

  const Corpus corpus = Corpus::open(directory / "corpus", Split::kTraining);
  ASSERT_EQ(corpus.tokens(), static_cast<std::int64_t>(expected.size()));
  for (std::int64_t begin = 0; begin < corpus.tokens(); begin += 7) {
    for (const std::int64_t count : {0, 1, 60, 500}) {
      std::vector<TokenId> window(static_cast<std::size_t>(std::min(count, corpus.tokens() - begin)));
      corpus.read(begin, window);
      EXPECT_TRUE(std::equal(window.begin(), window.end(), expected.begin() + begin)) << begin << " " << count;
    }
  }
  std::int64_t next = 0;
  for (std::int64_t i = 0; i < corpus.documents(); ++i) {
    EXPECT_EQ(corpus.document(i).first, next);
    next = corpus.document(i).second;
    EXPECT_EQ(expected[static_cast<std::size_t>(next - 1)], 256);
  }
  EXPECT_EQ(next, corpus.tokens());
  EXPECT_THAT(verify_corpus(directory / "corpus"), IsEmpty());
}

TEST(Corpus, LargeVocabulariesAreStoredIn32Bits) {
  const TemporaryDirectory directory;
  for (const int unused : {65536 - 257, 65536 - 256}) {
    const fs::path path = directory / std::to_string(unused);
    const TokenId last = 256 + unused;
    CorpusWriter writer(path, bytes_tokenizer(unused));
    writer.add(Split::kTraining, std::vector<TokenId>{0, last, 1}, 3);
    writer.finish();
    EXPECT_EQ(read_corpus_index(path).split(Split::kTraining).shards[0].element_bytes, last < 65536 ? 2u : 4u);
    EXPECT_THAT(read_all(Corpus::open(path, Split::kTraining)), ElementsAre(0, last, 1, 256));
    EXPECT_THAT(verify_corpus(path), IsEmpty());
  }
}

TEST(Corpus, ManyThreadsReadTheSame) {
  const TemporaryDirectory directory;
  const Corpus corpus = testing::one_document_corpus(directory / "corpus", 3'000'000);  // six blocks
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      std::vector<TokenId> window(1000);
      for (std::int64_t begin = t * 100; begin + 1001 < corpus.tokens(); begin += 17'000) {
        corpus.read(begin, window);
        for (std::int64_t i = 0; i < 1000; ++i) wrong += window[static_cast<std::size_t>(i)] != token_at(begin + i);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Corpus, AFlippedBlockIsRefusedByNameAndOthersStayReadable) {
  const TemporaryDirectory directory;
  const Corpus corpus = testing::one_document_corpus(directory / "corpus", 2'000'000);
  const fs::path shard = directory / "corpus/training-00000.h5";
  const std::uint64_t offset = read_corpus_index(directory / "corpus").split(Split::kTraining).shards[0].tokens_offset;
  {
    std::fstream file(shard, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(offset + 2 * kCorpusBlockBytes + 77));
    file.put('\xEE');
  }
  std::vector<TokenId> window(100);
  corpus.read(0, window);
  const std::int64_t block_tokens = kCorpusBlockBytes / 2;
  corpus.read(3 * block_tokens, window);
  EXPECT_THAT([&] { corpus.read(2 * block_tokens - 1, window); },
              ThrowsMessage<Error>(AllOf(HasSubstr("training-00000.h5"), HasSubstr("block 2"))));
  EXPECT_EQ(code_of([&] { corpus.read(2 * block_tokens, window); }), ErrorCode::kCorrupt);
  EXPECT_THAT(verify_corpus(directory / "corpus"), ElementsAre(HasSubstr("training-00000.h5 is damaged: block 2")));
}

TEST(Corpus, AShardThatIsCutGrownOrGoneIsRefusedOnOpenAndOnRead) {
  const TemporaryDirectory directory;
  const fs::path shard = directory / "corpus/training-00000.h5";
  const Corpus corpus = testing::one_document_corpus(directory / "corpus", 100'000);
  const std::uint64_t size = fs::file_size(shard);
  std::vector<TokenId> window(100);
  for (const std::uint64_t other : {std::uint64_t{0}, size - 1, size + 1}) {
    fs::resize_file(shard, other);
    EXPECT_EQ(code_of([&] { Corpus::open(directory / "corpus", Split::kTraining); }), ErrorCode::kCorrupt);
    EXPECT_EQ(code_of([&] { corpus.read(99'000, window); }), ErrorCode::kCorrupt);  // no SIGBUS
    EXPECT_THAT(verify_corpus(directory / "corpus"), ElementsAre(HasSubstr("training-00000.h5")));
  }
  fs::remove(shard);
  EXPECT_EQ(code_of([&] { Corpus::open(directory / "corpus", Split::kTraining); }), ErrorCode::kNotFound);
  EXPECT_EQ(code_of([&] { corpus.read(99'000, window); }), ErrorCode::kNotFound);
  EXPECT_EQ(code_of([&] { Corpus::open(directory / "none", Split::kTraining); }), ErrorCode::kNotFound);
  EXPECT_THAT([&] { Corpus::open(directory.path(), Split::kTraining); },
              ThrowsMessage<Error>(HasSubstr("is no corpus: it has no index.json")));
}

TEST(Corpus, ATokenOutsideOfTheVocabularyIsRefusedThoughEveryChecksumHolds) {
  const TemporaryDirectory directory;
  testing::one_document_corpus(directory / "corpus", 1000);
  CorpusIndex index = read_corpus_index(directory / "corpus");
  const fs::path path = directory / "corpus/training-00000.h5";
  ShardEntry& shard = index.split(Split::kTraining).shards[0];
  std::string bytes = read_file(path);
  bytes[shard.tokens_offset + 101] = 0x7F;
  std::ofstream(path, std::ios::binary) << bytes;
  shard.checksum = xxh3_128_hex(bytes);
  shard.block_checksums[0] = xxh3_128_hex(bytes.data() + shard.tokens_offset, shard.token_bytes());
  write_file_atomically(directory / "corpus/index.json", index_to_json(index));
  std::vector<TokenId> window(10);
  EXPECT_THAT([&] { Corpus::open(directory / "corpus", Split::kTraining).read(0, window); },
              ThrowsMessage<Error>(AllOf(HasSubstr("training-00000.h5"), HasSubstr("the vocabulary has 257 tokens"))));
}

TEST(CorpusIndex, RefusesSizesThatDoNotFitTheFile) {
  const TemporaryDirectory directory;
  testing::one_document_corpus(directory / "corpus", 1000);
  const CorpusIndex sound = read_corpus_index(directory / "corpus");
  const std::vector<std::function<void(ShardEntry&)>> damages = {
      [](ShardEntry& shard) { shard.tokens = std::uint64_t{1} << 55; },
      [](ShardEntry& shard) { shard.tokens = std::uint64_t{1} << 63; },
      [](ShardEntry& shard) { shard.documents = shard.bytes; },
      [](ShardEntry& shard) { shard.documents = 0; },
      [](ShardEntry& shard) { shard.tokens_offset = shard.bytes - 10; },
      [](ShardEntry& shard) { shard.documents_offset = ~std::uint64_t{0}; },
      [](ShardEntry& shard) { shard.documents_offset = shard.bytes - 8; },
      [](ShardEntry& shard) { shard.bytes = 0; },
      [](ShardEntry& shard) { shard.block_checksums.clear(); },
      [](ShardEntry& shard) { shard.block_checksums[0][3] = 'A'; },
      [](ShardEntry& shard) { shard.file = "../../etc/passwd"; },
  };
  for (std::size_t i = 0; i < damages.size(); ++i) {
    CorpusIndex index = sound;
    SplitEntry& split = index.split(Split::kTraining);
    damages[i](split.shards[0]);
    split.tokens = split.shards[0].tokens;
    split.documents = split.shards[0].documents;
    EXPECT_EQ(code_of([&] { index_from_json(index_to_json(index), "index.json"); }), ErrorCode::kCorrupt) << i;
  }
  EXPECT_EQ(index_to_json(index_from_json(index_to_json(sound), "index.json")), index_to_json(sound));
}

TEST(CorpusIndex, ANewerFormatIsNamedRatherThanCalledDamaged) {
  const TemporaryDirectory directory;
  testing::one_document_corpus(directory / "corpus", 1000);
  std::string json = read_file(directory / "corpus/index.json");
  const std::size_t place = json.find("\"version\": 1");
  json[place + 11] = '3';
  json.replace(json.find("\"checksum\"") + 13, 32, 32, '0');
  json.replace(json.find("\"checksum\"") + 13, 32, xxh3_128_hex(json));
  EXPECT_THAT([&] { index_from_json(json, "index.json"); },
              ThrowsMessage<Error>(HasSubstr("has format version 3; this program reads versions 1 and 2")));
}

TEST(CorpusWriter, TokensOfALargeShardBeginAtAWholeBlockOfTheFile) {
  const TemporaryDirectory directory;
  for (const std::int64_t tokens : {1000, 524'287, 524'288, 524'289, 1'500'000}) {  // 524,288 fill a block
    const fs::path path = directory / std::to_string(tokens);
    const Corpus corpus = testing::one_document_corpus(path, tokens);
    const CorpusIndex index = read_corpus_index(path);
    const ShardEntry& shard = index.split(Split::kTraining).shards[0];
    EXPECT_TRUE(shard.token_bytes() < kCorpusBlockBytes || shard.tokens_offset == kCorpusBlockBytes) << tokens;
    EXPECT_LT(shard.bytes, shard.token_bytes() + 2 * kCorpusBlockBytes) << tokens;
    std::vector<TokenId> all = read_all(corpus);
    for (std::int64_t i = 0; i + 1 < tokens; ++i)
      ASSERT_EQ(all[static_cast<std::size_t>(i)], token_at(i)) << tokens << " " << i;
    EXPECT_THAT(verify_corpus(path), IsEmpty()) << tokens;
  }
}

TEST(CorpusWriter, RowsOfDocumentsGiveTheSameFilesAsDocuments) {
  const TemporaryDirectory directory;
  CorpusWriter one_by_one(directory / "one", bytes_tokenizer(), 400),
      in_rows(directory / "rows", bytes_tokenizer(), 400);
  TokenRow row;
  for (std::int64_t i = 0; i < 300; ++i) {
    const auto ids = ids_from(100 * i, i == 70 ? 1000 : i % 90);
    one_by_one.add(Split::kTraining, ids, i);
    row.add(in_rows.storage(), ids, i);
    if (i % 50 != 49) continue;
    in_rows.add(Split::kTraining, row);
    row.clear();
  }
  one_by_one.finish();
  in_rows.finish();
  const CorpusIndex index = read_corpus_index(directory / "rows");
  const auto& shards = index.split(Split::kTraining).shards;
  EXPECT_GT(shards.size(), 10u);
  EXPECT_EQ(read_file(directory / "one/index.json"), read_file(directory / "rows/index.json"));
  for (const ShardEntry& shard : shards)
    EXPECT_EQ(read_file(directory / "one" / shard.file), read_file(directory / "rows" / shard.file)) << shard.file;
  EXPECT_THAT(verify_corpus(directory / "rows"), IsEmpty());
}

TEST(CorpusWriter, LeavesNothingWithoutFinish) {
  const TemporaryDirectory directory;
  {
    CorpusWriter writer(directory / "corpus", bytes_tokenizer(), 20);
    for (int i = 0; i < 10; ++i) writer.add(Split::kTraining, ids_from(0, 9), 9);
  }
  EXPECT_THAT(names_in(directory.path()), IsEmpty());
}

TEST(CorpusWriter, RefusesWhatExistsAndLeavesIt) {
  const TemporaryDirectory directory;
  fs::create_directory(directory / "corpus");
  EXPECT_EQ(code_of([&] { CorpusWriter(directory / "corpus", bytes_tokenizer()); }), ErrorCode::kBadInput);
  EXPECT_EQ(code_of([&] { CorpusWriter(directory / "none/corpus", bytes_tokenizer()); }), ErrorCode::kIo);
  EXPECT_THAT(names_in(directory.path()), ElementsAre("corpus"));
}

TEST(CorpusWriter, DoesNotReplaceADirectoryThatAppearedMeanwhile) {
  const TemporaryDirectory directory;
  CorpusWriter writer(directory / "corpus", bytes_tokenizer());
  writer.add(Split::kTraining, ids_from(0, 9), 9);
  fs::create_directory(directory / "corpus");
  EXPECT_EQ(code_of([&] { writer.finish(); }), ErrorCode::kIo);
  EXPECT_THAT(names_in(directory.path()), ElementsAre("corpus"));
  EXPECT_THAT(names_in(directory / "corpus"), IsEmpty());
}

TEST(CorpusWriter, RefusesIdsOutsideOfTheVocabularyAndAnEmptyTrainingSplit) {
  const TemporaryDirectory directory;
  for (const TokenId id : {-1, 257}) {
    CorpusWriter writer(directory / "corpus", bytes_tokenizer());
    EXPECT_EQ(code_of([&] { writer.add(Split::kTraining, std::vector<TokenId>{id}, 1); }), ErrorCode::kBadInput);
    EXPECT_EQ(code_of([&] { writer.finish(); }), ErrorCode::kBug);
  }
  CorpusWriter writer(directory / "corpus", bytes_tokenizer());
  writer.add(Split::kValidation, {}, 0);
  EXPECT_EQ(code_of([&] { writer.finish(); }), ErrorCode::kBadInput);
  EXPECT_THAT(names_in(directory.path()), IsEmpty());
}

// A limit on file sizes fails writes as a full disk does, wherever it lies.
TEST(CorpusWriter, AFailedWriteIsAnErrorAndLeavesNothing) {
  const TemporaryDirectory directory;
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  for (const rlim_t limit : {rlim_t{1000}, rlim_t{5000}, rlim_t{200'000}, rlim_t{1'500'000}}) {
    CorpusWriter writer(directory / "corpus", bytes_tokenizer(), 2'000'000);
    const rlimit tight{limit, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &tight);
    const ErrorCode code = code_of([&] {
      for (int i = 0; i < 1000; ++i) writer.add(Split::kTraining, ids_from(0, 1000), 1000);
      writer.finish();
    });
    setrlimit(RLIMIT_FSIZE, &before);
    EXPECT_EQ(code, ErrorCode::kIo) << limit;
    EXPECT_THAT(names_in(directory.path()), IsEmpty()) << limit;
  }
  std::signal(SIGXFSZ, SIG_DFL);
}

}  // namespace
}  // namespace trireme::data
