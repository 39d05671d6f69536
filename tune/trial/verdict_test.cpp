#include "tune/trial/verdict.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace trireme::tune {
namespace {

using Kind = Verdict::Kind;
using testing::ElementsAre;

constexpr int exit_status(int status) { return status << 8; }  // as waitpid(2) gives it

Sweep sweep_with(std::int64_t retries) {
  Sweep sweep;
  sweep.retries = retries;
  sweep.trial_timeout_seconds = 90;
  return sweep;
}

Verdict judge_once(const Ending& ending, const Sweep& sweep = sweep_with(2)) {
  Restarts restarts;
  return judge(ending, sweep, restarts);
}

TEST(Verdict, ACommandThatEndedWellHasItsResult) {
  const Verdict verdict = judge_once({.status = 0, .values = {{0.5, 2}}});
  EXPECT_EQ(verdict.kind, Kind::kValues);
  EXPECT_THAT(verdict.values, ElementsAre(0.5, 2));
}

TEST(Verdict, WithoutAResultItFailedWhateverItsStatus) {
  const Verdict verdict = judge_once({.status = 0, .missing = "no record with a number for loss"});
  EXPECT_EQ(verdict.kind, Kind::kFailed);
  EXPECT_EQ(verdict.reason, "no record with a number for loss");
  EXPECT_FALSE(verdict.likeness.empty());
}

TEST(Verdict, AnExitStatusComesWithTheLastLineOfStderr) {
  EXPECT_EQ(judge_once({.status = exit_status(3), .values = {{1}}, .last_error_line = "no such data"}).reason,
            "exit status 3: no such data");
  EXPECT_EQ(judge_once({.status = exit_status(255)}).reason, "exit status 255");
}

TEST(Verdict, ASignalMeansAnotherAttemptSoManyTimes) {
  Restarts restarts;
  for (int i = 0; i < 2; ++i) EXPECT_EQ(judge({.status = SIGKILL}, sweep_with(2), restarts).kind, Kind::kAgain);
  const Verdict last = judge({.status = SIGKILL}, sweep_with(2), restarts);
  EXPECT_EQ(last.kind, Kind::kFailed);
  EXPECT_EQ(last.reason, "killed by signal 9 (Killed), after it was started again 2 times");
  EXPECT_EQ(judge_once({.status = SIGSEGV}, sweep_with(0)).reason, "killed by signal 11 (Segmentation fault)");
}

TEST(Verdict, AShellsWordForASignalIsOne) {
  EXPECT_EQ(judge_once({.status = exit_status(128 + SIGKILL)}).kind, Kind::kAgain);
  EXPECT_EQ(judge_once({.status = exit_status(128)}).kind, Kind::kFailed);
}

TEST(Verdict, Status75IsGoneOnWithAHundredTimes) {
  Restarts restarts;
  for (int i = 0; i < 100; ++i)
    ASSERT_EQ(judge({.status = exit_status(75)}, sweep_with(0), restarts).kind, Kind::kAgain) << i;
  EXPECT_EQ(judge({.status = exit_status(75)}, sweep_with(0), restarts).kind, Kind::kFailed);
  EXPECT_EQ(restarts.killed, 0);
}

TEST(Verdict, WhatWeEndedIsNoFaultOfTheCommand) {
  EXPECT_EQ(judge_once({.status = SIGTERM, .interruption = Interruption::kStop}, sweep_with(0)).kind, Kind::kAgain);
  EXPECT_EQ(judge_once({.status = 0, .interruption = Interruption::kStop, .values = {{1}}}).kind, Kind::kAgain);
  EXPECT_EQ(judge_once({.status = 0, .interruption = Interruption::kTakenOver, .values = {{1}}}).kind, Kind::kForget);
  const Verdict late = judge_once({.status = 0, .interruption = Interruption::kTimeout, .values = {{1}}});
  EXPECT_EQ(late.kind, Kind::kFailed);
  EXPECT_EQ(late.reason, "timed out after 1m30s");
}

TEST(Verdict, ATrainingJobThatWasDoneWhenItWasStoppedIsDone) {
  Sweep sweep = sweep_with(2);
  sweep.base = "train.yaml";
  EXPECT_EQ(judge_once({.status = 0, .interruption = Interruption::kStop, .values = {{1}}}, sweep).kind, Kind::kValues);
  EXPECT_EQ(judge_once({.status = exit_status(75), .interruption = Interruption::kStop, .values = {{1}}}, sweep).kind,
            Kind::kAgain);
}

TEST(Restarts, AreKeptInTheFolder) {
  const auto folder = std::filesystem::temp_directory_path() / ("trireme-restarts-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  EXPECT_EQ(Restarts::read(folder), Restarts{});
  Restarts{2, 7}.write(folder);
  EXPECT_EQ(Restarts::read(folder), (Restarts{2, 7}));
  std::ofstream(folder / "restarts.json") << "{\"killed\": ";
  EXPECT_EQ(Restarts::read(folder), Restarts{});
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace trireme::tune
