#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <map>
#include <set>

#include "core/base/descriptor.h"
#include "core/base/durable.h"
#include "core/base/error.h"
#include "core/base/fault_points_testing.h"
#include "models/checkpoint/run_checkpoints.h"
#include "models/checkpoint/run_owner.h"
#include "models/checkpoint/test_checkpoint.h"

// Whatever happens at whatever point of a save, what was reported durable before loads, bit for bit.
namespace trireme::models {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::IsEmpty;
using Kind = PlannedFault::Kind;

constexpr int kWriters = 2;

// The weights of a step; other ones each time.
std::vector<WholeTensor> model_of(std::int64_t step) {
  std::vector<WholeTensor> tensors = small_model();
  for (WholeTensor& tensor : tensors)
    for (char& byte : tensor.bytes) byte = static_cast<char>(byte + step);
  return tensors;
}

// As a trainer does it: two writers, then one who commits and removes what is older than the newest two.
void save(const RunOwner& owner, std::int64_t step) {
  const fs::path folder = owner.fresh("save");
  make_folder(folder, "folder");
  const std::vector<WholeTensor> tensors = model_of(step);
  std::vector<std::string> shares;
  for (int writer = 0; writer < kWriters; ++writer) {
    std::vector<TensorSlice> slices;
    for (const WholeTensor& tensor : tensors) {
      if (writer > 0 && tensor.shape.empty()) continue;
      const Box box = part_of(tensor, 0, writer, kWriters);
      const std::size_t element = bytes_per_element(tensor.type);
      const auto row = tensor.shape.empty()
                           ? tensor.bytes.size()
                           : tensor.bytes.size() / static_cast<std::size_t>(std::max<std::int64_t>(1, tensor.shape[0]));
      const std::size_t begin = tensor.shape.empty() ? 0 : static_cast<std::size_t>(box.offset[0]) * row;
      const std::size_t end = begin + static_cast<std::size_t>(*volume(box.size)) * element;
      // The first one hashes the tensor's one piece.
      slices.push_back({tensor.name, tensor.type, tensor.shape, box.offset, box.size, tensor.bytes.data() + begin,
                        writer == 0 ? tensor.bytes.size() - end : 0});
    }
    shares.push_back(write_share(folder, writer, slices));
  }
  CheckpointTexts written = texts(tensors);
  written.weights_hash.clear();  // made of what the writers hash
  commit_checkpoint(folder, checkpoint_path(owner.run(), step), shares, written);
}

void expect_loads(const fs::path& run, std::int64_t step, const std::string& what) {
  const Checkpoint checkpoint = Checkpoint::open(checkpoint_path(run, step));
  for (const WholeTensor& tensor : model_of(step)) {
    std::vector<char> bytes(tensor.bytes.size());
    checkpoint.read(tensor.name, bytes.data());
    EXPECT_EQ(bytes, tensor.bytes) << what;
  }
  EXPECT_EQ(checkpoint.weights_hash(), hash_of(model_of(step))) << what;
  EXPECT_THAT(checkpoint.verify(), IsEmpty()) << what;
}

// All that is there is sound, `durable` among it, and the next start goes on saving.
void expect_nothing_lost(const fs::path& run, const std::set<std::int64_t>& durable, const std::string& what) {
  const RunOwner next = RunOwner::claim(run);
  const std::vector<std::int64_t> steps = checkpoint_steps(run);
  for (const std::int64_t step : durable) EXPECT_THAT(steps, Contains(step)) << what;
  for (const std::int64_t step : steps) expect_loads(run, step, what);
  EXPECT_EQ(open_model(run).directory(), checkpoint_path(run, steps.back())) << what;
  save(next, 90);
  expect_loads(run, 90, what);
  prune_checkpoints(next, {1});
  EXPECT_THAT(checkpoint_steps(run), testing::ElementsAre(90)) << what;
  EXPECT_EQ(std::distance(fs::directory_iterator(run / "checkpoints"), {}), 1) << what;
  EXPECT_EQ(std::distance(fs::directory_iterator(run / "owner"), {}), 1) << what;
}

// The work that faults are planned into: steps 20 and 30 behind 10, 30 a second time in its own place, and the removal
// of the oldest. `durable` hears of a step once it is reported.
void work(const RunOwner& owner, const std::function<void(std::int64_t)>& durable) {
  for (const std::int64_t step : {20, 30, 30}) {
    save(owner, step);
    durable(step);
  }
  prune_checkpoints(owner, {3});
}

// What some work on a run that has step 10 passes.
std::vector<PlannedFault::Passed> points_of(bool exchange, const std::function<void(const RunOwner&)>& task) {
  const TemporaryFolder folder;
  const RunOwner owner = RunOwner::claim(folder.path());
  save(owner, 10);
  PlannedFault list;
  if (!exchange) list.without_exchange();
  FaultPoints::install(&list);
  task(owner);
  return list.passed();
}

std::vector<PlannedFault::Passed> points_of_work(bool exchange = true) {
  return points_of(exchange, [](const RunOwner& owner) { work(owner, [](std::int64_t) {}); });
}

TEST(SaveFaults, TheNamedPointsAreAllCallsOfASave) {
  std::set<std::string> names;
  for (const auto& point : points_of_work()) names.insert(point.text());
  for (const char* call :
       {"create of folder", "lay-out of rank-file", "write of rank-file", "sync of rank-file", "close of rank-file",
        "create of tokenizer", "write of tokenizer", "sync of tokenizer", "create of manifest", "write of manifest",
        "sync of manifest", "close of manifest", "sync of commit", "rename of commit", "exchange of commit"}) {
    EXPECT_THAT(names, Contains(std::string("before ") + call));
    EXPECT_THAT(names, Contains(std::string("after ") + call));
  }
}

// What a kill cannot show, since the system keeps what was written: a power failure takes all that was not synced. So a
// checkpoint gets its name only behind the sync of each of its files and of the folder that names them, and counts as
// durable only behind the sync of the folder that names it.
TEST(SaveFaults, NothingGetsItsNameBeforeItIsOnTheDisk) {
  for (const bool exchange : {true, false})
    for (const std::int64_t step : {20, 10}) {  // a new name, and one that is taken
      std::map<std::string, bool> is_dirty;
      int open = 0, named = 0;
      bool are_names_synced = false, is_name_synced = false;
      for (const auto& [object, call, when] : points_of(exchange, [&](const RunOwner& owner) { save(owner, step); })) {
        if (call == "rename" || call == "exchange") {
          if (when == FaultPoints::When::kBefore) {
            EXPECT_TRUE(are_names_synced && open == 0);
          }
          named += when == FaultPoints::When::kAfter;
          is_name_synced = false;
        }
        if (when == FaultPoints::When::kBefore) continue;
        if (object == "commit") {
          if (call == "sync") (named > 0 ? is_name_synced : are_names_synced) = true;
          continue;
        }
        if (call == "lay-out" || call == "create") open += object != "folder", are_names_synced = false;
        if (call == "lay-out" || call == "write") is_dirty[object] = true;
        if (call == "sync") is_dirty[object] = false;
        if (call == "close") {
          EXPECT_FALSE(is_dirty[object]) << object;
          open -= 1;
        }
      }
      EXPECT_EQ(is_dirty.size(), 3) << "rank files, tokenizer, manifest";
      EXPECT_GE(named, 1);
      EXPECT_TRUE(is_name_synced);
    }
}

void kill_at_all_points(bool exchange) {
  const std::vector<PlannedFault::Passed> points = points_of_work(exchange);
  for (std::size_t point = 0; point < points.size(); ++point) {
    const TemporaryFolder folder;
    const fs::path run = folder.path() / "run";
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const Descriptor from(ends[0]);
    const pid_t child = ::fork();
    if (child == 0) {
      const auto tell = [&](std::int64_t step) {
        if (::write(ends[1], &step, sizeof step) != sizeof step) ::_exit(3);
      };
      try {
        const RunOwner owner = RunOwner::claim(run);
        save(owner, 10);
        tell(10);
        PlannedFault fault(point, Kind::kKill);
        if (!exchange) fault.without_exchange();
        FaultPoints::install(&fault);
        work(owner, tell);
      } catch (...) {
        ::_exit(2);
      }
      ::_exit(1);
    }
    ::close(ends[1]);
    std::set<std::int64_t> durable;
    for (std::int64_t step = 0; ::read(from.get(), &step, sizeof step) == sizeof step;) durable.insert(step);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << points[point].text() << ", status " << status;
    ASSERT_THAT(durable, Contains(10));
    expect_nothing_lost(run, durable, "killed " + points[point].text());
  }
}

TEST(SaveFaults, AKillAtAnyPointLosesNothingThatWasDurable) { kill_at_all_points(/*exchange=*/true); }

TEST(SaveFaults, NorWhereTwoNamesCannotChangePlacesAtOnce) { kill_at_all_points(/*exchange=*/false); }

TEST(SaveFaults, AnErrorAtAnyPointFailsTheSaveOrDoesNotMatterAndTheNextOneSucceeds) {
  int failed = 0, passed = 0;
  for (const bool exchange : {true, false})
    for (const std::vector<PlannedFault::Passed> points = points_of_work(exchange);
         const auto& [kind, error] : std::vector<std::pair<Kind, int>>{
             {Kind::kError, EIO}, {Kind::kError, ENOSPC}, {Kind::kShortWrite, 0}, {Kind::kShortWriteThenError, ENOSPC}})
      for (std::size_t point = 0; point < points.size(); ++point) {
        const bool is_write = points[point].call == "write";
        if (points[point].when == FaultPoints::When::kAfter || (kind != Kind::kError && !is_write)) continue;
        const TemporaryFolder folder;
        const fs::path run = folder.path() / "run";
        std::set<std::int64_t> durable{10};
        {
          const RunOwner owner = RunOwner::claim(run);
          save(owner, 10);
          PlannedFault fault(point, kind, error);
          if (!exchange) fault.without_exchange();
          FaultPoints::install(&fault);
          bool threw = false;
          try {
            work(owner, [&](std::int64_t step) { durable.insert(step); });
          } catch (const Error& what) {
            EXPECT_EQ(what.code(), ErrorCode::kIo) << what.what();
            threw = true;
          }
          EXPECT_TRUE(fault.happened());
          if (kind == Kind::kShortWrite) {
            EXPECT_FALSE(threw) << points[point].text();
          }
          ++(threw ? failed : passed);
          FaultPoints::install(nullptr);
          for (const std::int64_t step : durable) expect_loads(run, step, points[point].text());
          save(owner, 40);  // the same process goes on
          durable.insert(40);
        }
        expect_nothing_lost(run, durable, "error " + points[point].text());
      }
  EXPECT_GT(failed, 100);
  EXPECT_GT(passed, 10);
}

TEST(SaveFaults, ADiskThatIsFullAtAnySizeLosesNothingThatWasDurable) {
  int failed = 0;
  for (int kibibytes = 24; kibibytes <= 160; kibibytes += 4) {
    const TemporaryFolder folder;
    const std::string size = "size=" + std::to_string(kibibytes) + "k";
    if (::mount("trireme-test", folder.path().c_str(), "tmpfs", 0, size.c_str()) != 0)
      GTEST_SKIP() << "needs the right to mount";
    const auto unmount = std::shared_ptr<void>(nullptr, [&](void*) { ::umount2(folder.path().c_str(), MNT_DETACH); });
    const fs::path run = folder.path() / "run";
    std::set<std::int64_t> durable;
    try {
      const RunOwner owner = RunOwner::claim(run);
      for (std::int64_t step = 10; step <= 60; step += 10) {
        save(owner, step);
        durable.insert(step);
      }
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kIo) << error.what();
      ++failed;
    }
    EXPECT_EQ(std::set<std::int64_t>(durable), [&] {
      const auto steps = checkpoint_steps(run);
      return std::set<std::int64_t>(steps.begin(), steps.end());
    }());
    for (const std::int64_t step : durable) expect_loads(run, step, size);
  }
  EXPECT_GT(failed, 10);
}

}  // namespace
}  // namespace trireme::models
