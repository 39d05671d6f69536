#include "models/checkpoint/read_ahead.h"

#include <gmock/gmock.h>

#include <random>

#include "core/base/error.h"
#include "models/checkpoint/test_checkpoint.h"

namespace trireme::models {
namespace {

namespace fs = std::filesystem;

class ReadAheadTest : public testing::Test {
 protected:
  // Of `bytes` known ones.
  const InputFile& file(const std::string& name, std::size_t bytes) {
    contents_.push_back(WholeTensor(name, StoredType::kFloat32, {static_cast<std::int64_t>(bytes) / 4}).bytes);
    std::ofstream(folder_.path() / name, std::ios::binary)
        << std::string(contents_.back().begin(), contents_.back().end());
    return files_.emplace_back(InputDirectory(folder_.path()), name, InputFile::PageCache::kPassedBy);
  }
  static std::vector<char> taken(ReadAhead& ahead) {
    std::vector<char> all;
    ahead.take([&](const char* bytes, std::size_t size) { all.insert(all.end(), bytes, bytes + size); });
    return all;
  }
  std::vector<char> due(std::size_t file, std::uint64_t offset, std::uint64_t bytes) const {
    const auto begin = contents_[file].begin() + static_cast<std::ptrdiff_t>(offset);
    return {begin, begin + static_cast<std::ptrdiff_t>(bytes)};
  }

  TemporaryFolder folder_;
  std::deque<std::vector<char>> contents_;
  std::deque<InputFile> files_;
};

// Small and larger than all its memory, from any byte to any byte, the end of a file included, while more is wanted.
TEST_F(ReadAheadTest, HandsOnWhatIsWantedInItsOrder) {
  constexpr std::uint64_t kBytes = std::uint64_t{24} << 20;
  file("a", kBytes);
  file("b", kBytes + 1000);
  struct Wanted {
    std::size_t file;
    std::uint64_t offset, bytes;
  };
  std::vector<Wanted> wanted = {{0, 0, kBytes}, {1, 4096, kBytes + 1000 - 4096}, {1, kBytes + 999, 1}};
  std::mt19937_64 random(7);
  for (int i = 0; i < 60; ++i) {
    const std::uint64_t most = std::uint64_t{1} << (random() % 24);
    const std::uint64_t offset = random() % (kBytes - most);
    wanted.push_back({random() % 2, offset, 1 + random() % most});
  }
  ReadAhead ahead;
  std::size_t said = 0;
  for (std::size_t n = 0; n < wanted.size(); ++n) {
    for (const std::size_t until = std::min(wanted.size(), n + 1 + random() % 9); said < until; ++said)
      ahead.expect(files_[wanted[said].file], wanted[said].offset, wanted[said].bytes);
    const auto& [from, offset, bytes] = wanted[n];
    ASSERT_EQ(taken(ahead), due(from, offset, bytes)) << "file " << from << ", " << bytes << " bytes from " << offset;
  }
}

TEST_F(ReadAheadTest, SaysWhatIsWrongOfAFileAndGoesOnWithTheNext) {
  const InputFile& cut = file("cut", 9 << 20);
  const InputFile& whole = file("whole", 1 << 20);
  fs::resize_file(folder_.path() / "cut", (5 << 20) + 17);
  ReadAhead ahead;
  ahead.expect(cut, 0, 9 << 20);
  ahead.expect(cut, 4096, 100);
  ahead.expect(cut, 6 << 20, 100);
  ahead.expect(whole, 10, 1000);
  EXPECT_THAT([&] { taken(ahead); }, throws(ErrorCode::kCorrupt, "cut ends at byte 5242897"));
  EXPECT_EQ(taken(ahead), due(0, 4096, 100));
  EXPECT_THAT([&] { taken(ahead); }, throws(ErrorCode::kCorrupt, "cut ends at byte 6291456"));
  EXPECT_EQ(taken(ahead), due(1, 10, 1000));
}

// The memory of this process at an address that is none.
TEST_F(ReadAheadTest, ADiskThatGivesNothingBackIsDamage) {
  const InputFile memory(InputDirectory("/proc/self"), "mem");
  char byte = 0;
  EXPECT_THAT([&] { memory.read(0, &byte, 1); }, throws(ErrorCode::kCorrupt, "/proc/self/mem: Input/output error"));
}

TEST_F(ReadAheadTest, EndsWhileItReads) {
  const InputFile& input = file("a", 16 << 20);
  for (int i = 0; i < 20; ++i) {
    ReadAhead ahead;
    for (int n = 0; n < i; ++n) ahead.expect(input, 0, 16 << 20);
    if (i % 3 == 1) taken(ahead);
  }
}

}  // namespace
}  // namespace trireme::models
