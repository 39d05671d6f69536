#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <csignal>
#include <functional>

#include "core/base/error.h"
#include "models/checkpoint/test_checkpoint.h"

// HDF5 forgets some bytes of a file that it could not close, as the tests of a full disk make it do.
extern "C" const char* __lsan_default_suppressions() { return "leak:H5MM_xstrdup\n"; }

namespace trireme::models {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

/// What each rank's save ended with; "" for success.
std::vector<std::string> results_of(int ranks, ErrorCode due, const std::function<void(Communicator&)>& save) {
  std::vector<std::string> results(static_cast<std::size_t>(ranks));
  run_on_threads(ranks, [&](Communicator& world) {
    try {
      save(world);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), due) << error.what();
      results[static_cast<std::size_t>(world.rank())] = error.what();
    }
  });
  return results;
}

// Files of this process end at `bytes`, as if the disk were full there.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int);
};

std::vector<WholeTensor> larger_model() {
  return {{"weights/a", StoredType::kFloat32, {300, 1000}}, {"weights/b", StoredType::kFloat32, {100, 100}}};
}

TEST(WriteCheckpoint, ReachesEveryRankWhenOneCannotWriteAndLeavesNothing) {
  const TemporaryFolder folder;
  const fs::path directory = folder.path() / "step-00000050";
  const auto tensors = larger_model();
  // Rank 1 alone holds the large tensor, so it alone hits the limit.
  const auto save = [&](Communicator& world) {
    Share share;
    share.texts = texts(tensors);
    if (world.rank() == 1) share.add(tensors[0], tensors[0].box());
    if (world.rank() == 2) share.add(tensors[1], tensors[1].box());
    write_checkpoint(world, directory, share.slices, share.texts);
  };
  {
    const FileSizeLimit limit(400'000);
    for (const std::string& result : results_of(3, ErrorCode::kIo, save))
      EXPECT_THAT(result, AllOf(HasSubstr("step-00000050"), HasSubstr("rank 1")));
    EXPECT_THAT(names_in(folder.path()), IsEmpty());
  }
  // The disk has room again: the same process can save.
  for (const std::string& result : results_of(3, ErrorCode::kIo, save)) EXPECT_EQ(result, "");
  EXPECT_THAT(verify_checkpoint(directory), IsEmpty());
  EXPECT_THAT(names_in(directory), ElementsAre("manifest.json", "rank-00001.h5", "rank-00002.h5", "tokenizer.json"));
}

TEST(WriteCheckpoint, ReportsAFullDiskAndKeepsWhatWasThere) {
  const TemporaryFolder folder;
  if (::mount("trireme-test", folder.path().c_str(), "tmpfs", 0, "size=1m") != 0)
    GTEST_SKIP() << "needs the right to mount";
  const auto unmount = std::shared_ptr<void>(nullptr, [&](void*) { ::umount2(folder.path().c_str(), MNT_DETACH); });
  const fs::path directory = folder.path() / "step-00000050";
  save_rows(directory, small_model(), 2);
  for (int repeat = 0; repeat < 3; ++repeat) {
    const auto results = results_of(2, ErrorCode::kIo, [&](Communicator& world) {
      Share share;
      const auto tensors = larger_model();
      share.texts = texts(tensors);
      for (const WholeTensor& tensor : tensors) share.add(tensor, part_of(tensor, 0, world.rank(), 2));
      write_checkpoint(world, directory, share.slices, share.texts);
    });
    EXPECT_NE(results[0], "");
    EXPECT_EQ(results[0], results[1]);
    EXPECT_THAT(names_in(folder.path()), ElementsAre("step-00000050"));
    EXPECT_THAT(verify_checkpoint(directory), IsEmpty());
  }
}

TEST(WriteCheckpoint, TakesThePlaceOfADamagedOneOfTheSameStep) {
  const TemporaryFolder folder;
  const fs::path directory = folder.path() / "step-00000050";
  save_rows(directory, larger_model(), 3);
  put_content(directory / "rank-00001.h5", "damaged");
  save_rows(directory, small_model(), 2);
  EXPECT_THAT(verify_checkpoint(directory), IsEmpty());
  EXPECT_THAT(names_in(folder.path()), ElementsAre("step-00000050"));
  EXPECT_EQ(Checkpoint::open(directory).weights_hash(), hash_of(small_model()));
}

TEST(WriteCheckpoint, TakesARelativePathWithASlashAtItsEnd) {
  const TemporaryFolder folder;
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  save_rows("step-00000050/", small_model(), 1);
  fs::current_path(before);
  EXPECT_THAT(names_in(folder.path()), ElementsAre("step-00000050"));
}

TEST(WriteCheckpoint, AWriterWithMuchToWriteMakesSeveralFiles) {
  const TemporaryFolder folder;
  const fs::path staging = folder.path() / "staging", directory = folder.path() / "step-00000050";
  fs::create_directory(staging);
  const auto tensors = larger_model();
  Share share;
  for (const WholeTensor& tensor : tensors)
    for (int part = 0; part < 4; ++part) share.add(tensor, part_of(tensor, 0, part, 4));
  const std::string text = write_share(staging, 7, share.slices, {}, /*most_file_bytes=*/620'000);
  commit_checkpoint(staging, directory, {text}, texts(tensors));
  // Two parts of 300 kB; the other two with two of 10 kB; the rest.
  EXPECT_THAT(names_in(directory),
              ElementsAre("manifest.json", "rank-00007-1.h5", "rank-00007-2.h5", "rank-00007.h5", "tokenizer.json"));
  EXPECT_THAT(verify_checkpoint(directory), IsEmpty());
  const Checkpoint checkpoint = Checkpoint::open(directory);
  for (const WholeTensor& tensor : tensors) {
    std::vector<char> bytes(tensor.bytes.size());
    checkpoint.read(tensor.name, bytes.data());
    EXPECT_EQ(bytes, tensor.bytes);
  }
}

TEST(WriteCheckpoint, RefusesSlicesThatDoNotTile) {
  const TemporaryFolder folder;
  const fs::path directory = folder.path() / "step-00000050";
  const WholeTensor tensor("weights/a", StoredType::kFloat32, {6, 2});
  const auto refusal = [&](const std::function<void(Share&, int)>& fill) {
    const auto results = results_of(2, ErrorCode::kBug, [&](Communicator& world) {
      Share share;
      share.texts = texts({});
      fill(share, world.rank());
      write_checkpoint(world, directory, share.slices, share.texts);
    });
    EXPECT_EQ(results[0], results[1]);
    EXPECT_THAT(names_in(folder.path()), IsEmpty());
    return results[0];
  };
  EXPECT_THAT(refusal([&](Share& share, int rank) {
                if (rank == 0) share.add(tensor, part_of(tensor, 0, 0, 2));
              }),
              HasSubstr("6 of 12 elements are in no slice"));
  EXPECT_THAT(refusal([&](Share& share, int) { share.add(tensor, tensor.box()); }), HasSubstr("overlap"));
  EXPECT_THAT(refusal([&](Share& share, int rank) {
                share.add(rank == 0 ? tensor : WholeTensor("weights/a", StoredType::kFloat64, {6, 2}),
                          part_of(tensor, 0, rank, 2));
              }),
              HasSubstr("writers differ in type or shape of tensor weights/a"));
  EXPECT_THAT(refusal([&](Share& share, int rank) {
                share.add(tensor, part_of(tensor, 0, rank, 2));
                if (rank == 1) share.slices[0].offset = {4, 0};
              }),
              AllOf(HasSubstr("rank 1"), HasSubstr("lies outside")));
  EXPECT_THAT(refusal([&](Share& share, int rank) {
                share.add(tensor, part_of(tensor, 0, rank, 2));
                if (rank == 0) share.texts.model_json = "[]";
              }),
              HasSubstr("model_json is not a JSON object"));
  EXPECT_THAT(refusal([&](Share& share, int rank) {
                share.add(tensor, part_of(tensor, 0, rank, 2));
                share.slices[0].name = "../a";
              }),
              HasSubstr("not allowed"));
}

TEST(WriteCheckpoint, PassesTheLossOfARankOn) {
  const TemporaryFolder folder;
  const fs::path directory = folder.path() / "step-00000050";
  const auto tensors = small_model();
  std::atomic<int> lost{0};
  const auto job = [&](Communicator& world) {
    Share share;
    share.texts = texts(tensors);
    if (world.rank() == 1) throw std::runtime_error("killed");
    try {
      write_checkpoint(world, directory, share.slices, share.texts);
    } catch (const Error& error) {
      lost += error.code() == ErrorCode::kPeerLost;
    }
  };
  EXPECT_THROW(run_on_threads(3, job), std::runtime_error);
  EXPECT_EQ(lost, 2);
  EXPECT_FALSE(fs::exists(directory));
}

}  // namespace
}  // namespace trireme::models
