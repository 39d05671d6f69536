#include "train/loop/run_files.h"

#include <gmock/gmock.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/files.h"

namespace trireme::train {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::ThrowsMessage;
using ::testing::UnorderedElementsAre;

class RunFilesTest : public ::testing::Test {
 protected:
  RunFilesTest() : run_(fs::temp_directory_path() / ("trireme-run-files-" + std::to_string(::getpid()))) {
    fs::create_directory(run_);
  }
  ~RunFilesTest() override { fs::remove_all(run_); }

  static StepRecord record(std::int64_t step) {
    StepRecord r;
    r.step = step;
    return r;
  }
  void put(const char* name, const std::string& content) const { std::ofstream(run_ / name) << content; }
  /// The steps of all lines; a line that is not JSON fails.
  std::vector<std::int64_t> steps(const char* name) const {
    std::vector<std::int64_t> found;
    std::istringstream lines(read_file(run_ / name));
    for (std::string line; std::getline(lines, line);) found.push_back(json::parse(line).at("step"));
    return found;
  }

  const fs::path run_;
  const models::RunOwner owner_ = models::RunOwner::claim(run_);
};

TEST_F(RunFilesTest, AStepWhoseRecordIsStillToComeLosesTheOneThatIsThere) {
  put("metrics.jsonl", "{\"step\":1}\n{\"step\":2}\n{\"step\":3}\n");
  put("events.jsonl", "{\"step\":2}\n{\"step\":3}\n");
  RunFiles files(&owner_, 2, /*has_record=*/false);
  EXPECT_THAT(steps("metrics.jsonl"), ElementsAre(1));
  EXPECT_THAT(steps("events.jsonl"), ElementsAre(2));
}

TEST_F(RunFilesTest, ARecordHoldsTheMembersThatRunMdNames) {
  RunFiles files(&owner_, 0);
  StepRecord with = record(1);
  with.eval = {{"validation", 2.5, 1.5, {}, {}}, {"web", 3, 2, 2.75, 1.75}};
  files.metrics(with);
  const json line = json::parse(read_file(run_ / "metrics.jsonl"));
  std::vector<std::string> members;
  for (const auto& [name, value] : line.items()) members.push_back(name);
  EXPECT_THAT(members,
              UnorderedElementsAre("step", "time", "tokens", "loss", "grad_norm", "learning_rate", "tokens_per_second",
                                   "mfu", "step_ms", "data_wait_ms", "checkpoint_stall_ms", "checkpoint_write_ms",
                                   "eval_loss", "eval", "memory_bytes", "samples_hash"));
  EXPECT_EQ(line.at("eval_loss"), 2.5) << "of the first one";
  EXPECT_EQ(line.at("eval"), json::parse(R"({"validation": {"loss": 2.5, "bits_per_byte": 1.5},
      "web": {"loss": 3.0, "bits_per_byte": 2.0, "ema_loss": 2.75, "ema_bits_per_byte": 1.75}})"));
  files.metrics(record(2));
  EXPECT_THAT(read_file(run_ / "metrics.jsonl").substr(line.dump().size() + 1), Not(HasSubstr("eval_loss")));
}

TEST_F(RunFilesTest, ResumingDropsRecordsPastTheRestoredStep) {
  {
    RunFiles files(&owner_, 0);
    files.event("start", 0);
    for (const std::int64_t step : {1, 2, 3, 4}) files.metrics(record(step));
    files.event("eval", 4);
  }
  RunFiles files(&owner_, 2);
  EXPECT_THAT(steps("metrics.jsonl"), ElementsAre(1, 2));
  EXPECT_THAT(steps("events.jsonl"), ElementsAre(0));
  files.metrics(record(3));
  EXPECT_THAT(steps("metrics.jsonl"), ElementsAre(1, 2, 3));
}

TEST_F(RunFilesTest, StartingAnewKeepsNothing) {
  put("metrics.jsonl", "{\"step\":1}\n");
  put("events.jsonl", "{\"step\":0,\"event\":\"start\"}\n");
  const RunFiles files(&owner_, 0);
  EXPECT_THAT(steps("metrics.jsonl"), IsEmpty());
  EXPECT_THAT(steps("events.jsonl"), IsEmpty());
}

TEST_F(RunFilesTest, LinesThatAreNoRecordsAreDropped) {
  put("metrics.jsonl",
      "{\"step\":1}\n"
      "[2]\n"
      "{\"step\":\"2\"}\n"
      "{\"loss\":2}\n"
      "\n"
      "{\"step\":2}\n"
      "{\"step\":3,\"lo");
  const RunFiles files(&owner_, 9);
  EXPECT_THAT(steps("metrics.jsonl"), ElementsAre(1, 2));
}

TEST_F(RunFilesTest, AnOlderProcessThatStillWritesIsShutOut) {
  RunFiles old(&owner_, 0);
  old.metrics(record(1));
  RunFiles files(&owner_, 1);
  old.metrics(record(2));
  old.event("late", 2);
  files.metrics(record(7));
  EXPECT_THAT(steps("metrics.jsonl"), ElementsAre(1, 7));
  EXPECT_THAT(steps("events.jsonl"), IsEmpty());
}

TEST_F(RunFilesTest, AnEventHasItsNameStepTimeAndDetails) {
  RunFiles files(&owner_, 0);
  files.event("checkpoint-durable", 5, {{"weights_hash", "ab"}});
  const json line = json::parse(read_file(run_ / "events.jsonl"));
  EXPECT_EQ(line.at("event"), "checkpoint-durable");
  EXPECT_EQ(line.at("step"), 5);
  EXPECT_GT(line.at("time").get<double>(), 1.7e9);  // seconds since 1970
  EXPECT_EQ(line.at("weights_hash"), "ab");
}

TEST_F(RunFilesTest, TensorBoardGetsAFileAStartThatSortsBehindTheOlderAndVoidsThem) {
  const auto sizes = [&] {
    std::map<std::string, std::uintmax_t> found;
    for (const auto& entry : fs::directory_iterator(run_ / "tensorboard"))
      found[entry.path().filename()] = entry.file_size();
    return found;
  };
  {
    const RunFiles first(&owner_, 0);
  }
  put("tensorboard/events.out.tfevents.1.somebody", "else's");
  put("tensorboard/events.out.tfevents.9999999998.trireme", "of a clock that was ahead");
  const RunFiles second(&owner_, 0);
  EXPECT_THAT(sizes(),
              ElementsAre(Pair("events.out.tfevents.1.somebody", 6), Pair("events.out.tfevents.9999999998.trireme", 0),
                          Pair("events.out.tfevents.9999999999.trireme", Gt(0u))));
}

TEST_F(RunFilesTest, OtherRanksWriteNothing) {
  RunFiles files(nullptr, 0);
  files.metrics(record(1));
  files.event("start", 0);
  files.sync();
  EXPECT_FALSE(fs::exists(run_ / "metrics.jsonl") || fs::exists(run_ / "events.jsonl"));
}

TEST_F(RunFilesTest, ARunDirectoryThatIsGoneIsNamed) {
  const fs::path gone = run_ / "gone";
  const models::RunOwner owner = models::RunOwner::claim(gone);
  fs::remove_all(gone);
  EXPECT_THAT([&] { RunFiles(&owner, 0); }, ThrowsMessage<Error>(HasSubstr("gone")));
}

TEST_F(RunFilesTest, StartsThatDidNotEndAreCountedAsLost) {
  const auto event = [](const char* name, int step, int time) {
    return "{\"event\":\"" + std::string(name) + "\",\"step\":" + std::to_string(step) +
           ",\"time\":" + std::to_string(time) + "}\n";
  };
  put("events.jsonl", event("start", 0, 100) + event("checkpoint-durable", 5, 160) + event("resumed", 5, 1000) +
                          event("stopped", 7, 1030) + event("resumed", 7, 2000) + event("eval", 8, 2010));
  EXPECT_EQ(RunFiles(&owner_, 8).history().failures, 2) << "the first start and the last one";
  EXPECT_EQ(RunFiles(&owner_, 8).history().seconds, 60 + 30 + 10);
  put("events.jsonl", event("start", 0, 100) + event("end", 5, 160));
  EXPECT_EQ(RunFiles(&owner_, 5).history().failures, 0);
}

// Whoever still has the old logs open, and TensorBoard's file, writes to nowhere.
// Where the disk is full for a moment, what one log has left is written with the next line of the other one.
TEST_F(RunFilesTest, LinesThatAFullDiskLeftFollowWithAnyOther) {
  const fs::path disk = run_ / "disk";
  fs::create_directory(disk);
  if (::mount("trireme-test", disk.c_str(), "tmpfs", 0, "size=256k") != 0) GTEST_SKIP() << "needs the right to mount";
  const auto unmount = std::shared_ptr<void>(nullptr, [&](void*) { ::umount2(disk.c_str(), MNT_DETACH); });
  const models::RunOwner owner = models::RunOwner::claim(disk / "run");
  RunFiles files(&owner, 0);
  {
    std::ofstream fill(disk / "fill");
    while (fill << std::string(4096, '.') << std::flush) continue;
  }
  std::int64_t step = 0;
  const auto is_behind = [&] {
    try {
      files.sync_logs();
      return false;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kIo);
      return true;
    }
  };
  while (!is_behind() && step < 1000) files.metrics(record(++step));
  EXPECT_LT(step, 1000);
  fs::remove(disk / "fill");
  files.event("any", step);
  EXPECT_FALSE(is_behind());
  const std::string log = read_file(disk / "run" / "metrics.jsonl");
  EXPECT_EQ(std::ranges::count(log, '\n'), step);
}

TEST_F(RunFilesTest, AnEarlierStartThatWakesUpChangesNoByteThatIsRead) {
  const auto everything = [&] {
    std::map<std::string, std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(run_))
      if (entry.is_regular_file()) all[entry.path().string()] = read_file(entry.path());
    return all;
  };
  RunFiles old(&owner_, 0);
  old.metrics(record(1));
  const models::RunOwner owner = models::RunOwner::claim(run_);
  RunFiles now(&owner, 1);
  const auto before = everything();
  old.metrics(record(2));
  old.event("eval", 2);
  old.sync();
  EXPECT_EQ(everything(), before);
  EXPECT_THROW(RunFiles(&owner_, 1), Error);
  EXPECT_EQ(everything(), before);
}

}  // namespace
}  // namespace trireme::train
