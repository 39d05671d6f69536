#include "models/checkpoint/run_owner.h"

#include <fcntl.h>
#include <gmock/gmock.h>

#include <thread>

#include "core/base/descriptor.h"
#include "core/base/durable.h"
#include "core/base/error.h"
#include "core/base/fault_points_testing.h"
#include "models/checkpoint/run_checkpoints.h"
#include "models/checkpoint/test_checkpoint.h"

namespace trireme::models {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

auto taken_over() { return throws(ErrorCode::kTakenOver, "host"); }

class RunOwnerTest : public testing::Test {
 protected:
  void save(const RunOwner& owner, std::int64_t step) {
    const fs::path fresh = owner.fresh("save");
    save_rows(fresh, small_model(), 1);
    owner.give(fresh, checkpoint_path(run(), step));
  }
  // Every file below the run, with what is in it.
  std::map<std::string, std::string> everything() const {
    std::map<std::string, std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(run()))
      all[entry.path().string()] = entry.is_regular_file() ? content_of(entry.path()) : "/";
    return all;
  }
  fs::path run() const { return folder_.path() / "run"; }

 private:
  const TemporaryFolder folder_;
};

TEST_F(RunOwnerTest, CountsTheStartsAndSaysWhoWasBefore) {
  {
    const RunOwner first = RunOwner::claim(run());
    EXPECT_EQ(first.generation(), 1);
    EXPECT_EQ(first.before(), std::nullopt);
    first.check();
    first.release();
  }
  const RunOwner second = RunOwner::claim(run());
  EXPECT_EQ(second.generation(), 2);
  EXPECT_EQ(second.before(), std::nullopt) << "it has said that it ended";
  const RunOwner third = RunOwner::claim(run());
  EXPECT_EQ(third.generation(), 3);
  EXPECT_THAT(third.before().value_or(""), HasSubstr("process " + std::to_string(::getpid()) + " on host"));
  EXPECT_THAT([&] { second.check(); }, taken_over());
  third.check();
}

TEST_F(RunOwnerTest, WhoeverWasBeforeCannotChangeAByteByName) {
  const RunOwner old = RunOwner::claim(run());
  old.put(run() / "config.yaml", "old");
  save(old, 10);
  save(old, 20);
  const fs::path log = run() / "log", saved = old.fresh("save"), file = old.fresh("file");
  old.put(log, "one\n");
  save_rows(saved, small_model(), 1);
  put_content(file, "late");
  const Descriptor open_log(::open(log.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));

  const RunOwner now = RunOwner::claim(run());
  now.put(log, content_of(log));
  const auto before = everything();
  EXPECT_THAT([&] { old.put(run() / "config.yaml", "older"); }, taken_over());
  EXPECT_THAT([&] { old.give(saved, checkpoint_path(run(), 30)); }, taken_over());
  EXPECT_THAT([&] { old.remove(checkpoint_path(run(), 10)); }, taken_over());
  EXPECT_THAT([&] { old.set_aside(checkpoint_path(run(), 10), "damaged"); }, taken_over());
  EXPECT_THAT([&] { prune_checkpoints(old, {1}); }, taken_over());
  EXPECT_THAT([&] { old.release(); }, taken_over());
  // The calls themselves, had it been stopped between a check and them.
  EXPECT_THROW(move_over(file, run() / "config.yaml", "test"), Error);
  EXPECT_THROW(move_new(saved, checkpoint_path(run(), 30), "test"), Error);
  EXPECT_THROW(exchange_names(saved, checkpoint_path(run(), 20), "test"), Error);
  EXPECT_THROW(make_folder(old.fresh("save"), "test"), Error);
  EXPECT_EQ(::write(open_log.get(), "late\n", 5), 5);
  EXPECT_EQ(everything(), before);
  now.check();
}

TEST_F(RunOwnerTest, NothingIsLostThatWasBetweenTwoNames) {
  // Killed at each point of setting a checkpoint aside, and of putting one in the place of another where names cannot
  // change places in one call.
  const RunOwner old = RunOwner::claim(run());
  save(old, 10);
  save(old, 20);
  fs::rename(checkpoint_path(run(), 10), old.folder() / "moved-7.aside-step-00000010.damaged-1700000000");
  fs::rename(checkpoint_path(run(), 20), old.folder() / "save-8.replaced-step-00000020");
  // And by a second start, which was killed before it had looked.
  fs::create_directory(run() / "owner" / "00000002");
  fs::rename(old.folder(), run() / "owner" / "00000002" / "taken-1");
  const RunOwner now = RunOwner::claim(run());
  EXPECT_EQ(now.generation(), 3);
  EXPECT_THAT(checkpoint_steps(run()), ElementsAre(20));
  EXPECT_THAT(verify_checkpoint(checkpoint_path(run(), 20)), IsEmpty());
  EXPECT_THAT(verify_checkpoint(run() / "checkpoints" / "step-00000010.damaged-1700000000"), IsEmpty());
  EXPECT_EQ(std::distance(fs::directory_iterator(run() / "owner"), {}), 1);
}

TEST_F(RunOwnerTest, OfManyStartsAtOnceOneIsTheOwner) {
  constexpr int kStarts = 8;
  RunOwner::claim(run());
  std::vector<std::optional<RunOwner>> owners(kStarts);
  std::vector<std::thread> threads;
  for (auto& owner : owners)
    threads.emplace_back([&] {
      try {
        owner.emplace(RunOwner::claim(run(), /*seen=*/1));
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kTakenOver) << error.what();
      }
    });
  for (std::thread& thread : threads) thread.join();
  int now = 0;
  for (const auto& owner : owners) try {
      if (owner) owner->check(), ++now;
    } catch (const Error&) {
    }
  EXPECT_EQ(now, 1);
  EXPECT_EQ(RunOwner::newest(run()), 2);
  EXPECT_EQ(std::distance(fs::directory_iterator(run() / "owner"), {}), 1);
}

TEST_F(RunOwnerTest, AStartThatHungBeforeItClaimedDoesNotEndTheOneThatTookItsPlace) {
  const std::int64_t seen = RunOwner::newest(run());
  EXPECT_EQ(seen, 0);
  const RunOwner now = RunOwner::claim(run());
  const auto before = everything();
  EXPECT_THAT([&] { RunOwner::claim(run(), seen); }, taken_over());
  EXPECT_EQ(everything(), before);
  now.check();
}

TEST_F(RunOwnerTest, NorWhereThatOneWasReplacedInTurnAndItsNumberIsFreeAgain) {
  {
    const RunOwner first = RunOwner::claim(run());
  }
  // One that was stopped between looking and making its folder, while two others came.
  class TwoStarts final : public FaultPoints {
   public:
    explicit TwoStarts(fs::path run) : run_(std::move(run)) { install(this); }
    ~TwoStarts() override { install(nullptr); }
    Fault at(const char* object, const char* call, When when) override {
      if (std::string(object) != "owner-folder" || std::string(call) != "create" || when != When::kBefore) return {};
      install(nullptr);
      RunOwner::claim(run_);
      now.emplace(RunOwner::claim(run_));
      return {};
    }
    std::optional<RunOwner> now;

   private:
    const fs::path run_;
  } two(run());
  EXPECT_THAT([&] { RunOwner::claim(run(), /*seen=*/1); }, taken_over());
  ASSERT_TRUE(two.now);
  two.now->check();
  EXPECT_EQ(std::distance(fs::directory_iterator(run() / "owner"), {}), 1);
}

TEST_F(RunOwnerTest, AFileIsPutWholeOrNotAtAll) {
  const RunOwner owner = RunOwner::claim(run());
  owner.put(run() / "file", "before");
  std::size_t points = 0;
  {
    PlannedFault list;
    FaultPoints::install(&list);
    owner.put(run() / "file", "before");
    points = list.passed().size();
  }
  EXPECT_GT(points, 6u);
  for (std::size_t point = 0; point < points; ++point) {
    PlannedFault fault(point, PlannedFault::Kind::kError, EIO);
    FaultPoints::install(&fault);
    try {
      owner.put(run() / "file", "behind");
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("Input/output error"));
    }
    EXPECT_THAT(content_of(run() / "file"), testing::AnyOf("before", "behind"));
    FaultPoints::install(nullptr);
    owner.put(run() / "file", "before");
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(owner.folder()), {}), 1) << "its mark";
}

}  // namespace
}  // namespace trireme::models
