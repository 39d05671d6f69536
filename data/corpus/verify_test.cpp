#include <gmock/gmock.h>

#include <fstream>
#include <random>

#include "core/base/files.h"
#include "data/corpus/corpus.h"
#include "data/corpus/index.h"
#include "data/corpus/testing.h"

namespace trireme::data {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::TemporaryDirectory;

void overwrite(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

void write_small_corpus(const fs::path& directory) {
  CorpusWriter writer(directory, testing::bytes_tokenizer(), /*shard_bytes=*/2000);
  std::vector<TokenId> ids;
  for (std::int64_t i = 0; i < 150; ++i) {
    ids.push_back(testing::token_at(i));
    writer.add(i % 10 == 0 ? Split::kValidation : Split::kTraining, ids, i + 1);
  }
  writer.finish();
}

TEST(VerifyCorpus, FindsEveryFlippedBitAndEveryCutAndNamesTheFile) {
  const TemporaryDirectory directory;
  const fs::path corpus = directory / "corpus";
  write_small_corpus(corpus);
  ASSERT_THAT(verify_corpus(corpus), IsEmpty());
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(corpus)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  ASSERT_GT(files.size(), 10u);

  std::mt19937_64 random(1);
  for (int trial = 0; trial < 400; ++trial) {
    const fs::path& file = files[random() % files.size()];
    const std::string sound = read_file(file);
    std::string damaged = sound;
    const std::size_t place = random() % sound.size();
    const int kind = trial % 4;
    if (kind < 2) damaged[place] = static_cast<char>(damaged[place] ^ (1 << random() % 8));
    if (kind == 2) damaged.resize(place);
    if (kind == 3) damaged.append(1 + random() % 9, '\0');
    overwrite(file, damaged);
    EXPECT_THAT(verify_corpus(corpus), Contains(HasSubstr(file.string())))
        << "byte " << place << ", kind " << kind << " of trial " << trial;
    overwrite(file, sound);
  }
  EXPECT_THAT(verify_corpus(corpus), IsEmpty());
}

TEST(VerifyCorpus, NamesEverythingThatIsWrongAtOnce) {
  const TemporaryDirectory directory;
  const fs::path corpus = directory / "corpus";
  write_small_corpus(corpus);
  fs::remove(corpus / "training-00001.h5");
  overwrite(corpus / "notes.txt", "mine");
  overwrite(corpus / "tokenizer.json", "{}");
  const ShardEntry shard = read_corpus_index(corpus).split(Split::kValidation).shards[0];
  std::string bytes = read_file(corpus / shard.file);
  bytes[shard.documents_offset + 8] ^= 1;
  overwrite(corpus / shard.file, bytes);
  EXPECT_THAT(verify_corpus(corpus), ElementsAre(HasSubstr("tokenizer.json"), HasSubstr("training-00001.h5"),
                                                 AllOf(HasSubstr("validation-00000.h5"), HasSubstr("document offsets")),
                                                 HasSubstr("notes.txt")));
}

TEST(VerifyCorpus, AMissingCorpusIsAFinding) {
  const TemporaryDirectory directory;
  EXPECT_THAT(verify_corpus(directory / "none"), ElementsAre(HasSubstr("no corpus")));
  EXPECT_THAT(verify_corpus(directory.path()), ElementsAre(HasSubstr("no index.json")));
}

}  // namespace
}  // namespace trireme::data
