#include "tune/trial/clearance.h"

#include <gmock/gmock.h>
#include <sys/wait.h>

#include "tune/store/study_testing.h"
#include "tune/trial/command_process.h"
#include "tune/trial/process_testing.h"

namespace trireme::tune {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string token() { return "token-" + std::to_string(::getpid()); }

Mark mark(std::int64_t trial, std::int64_t attempt) { return {token(), trial, attempt}; }

std::unique_ptr<CommandProcess> start(const std::string& shell, const Mark& mark) {
  CommandProcess::Start start;
  start.words = {"/bin/sh", "-c", shell};
  start.environment = {{Mark::kVariable, mark.text()}};
  return std::make_unique<CommandProcess>(start);
}

// Until a process has become what it was started for: sh has the mark before it, sleep behind it.
void wait_for_marked(const Mark& mark, std::size_t count) {
  ASSERT_TRUE(becomes_true([&] { return find_marked(mark).size() == count; }));
}

// Until it alone is found: between sh and sleep it has no environment for a moment.
bool become_marked(const Mark& mark, pid_t process) {
  return becomes_true([&] { return find_marked(mark) == std::vector<pid_t>{process}; });
}

void clear(Clearance& clearance) {
  ASSERT_TRUE(becomes_true([&] { return clearance.advance(); }));
}

TEST(Mark, FindsATrialsProcessesOfThisAttemptAndThoseBefore) {
  const auto third = start("exec sleep 60", mark(17, 3));
  for (const Mark& each : {mark(17, 3), mark(17, 10)}) EXPECT_TRUE(become_marked(each, third->pid()));
  EXPECT_THAT(find_marked(mark(17, 2)), IsEmpty());
  EXPECT_THAT(find_marked(mark(7, 3)), IsEmpty());
  EXPECT_THAT(find_marked(mark(1, 7)), IsEmpty());
  EXPECT_THAT(find_marked({"another", 17, 3}), IsEmpty());
}

TEST(Mark, IsInheritedByWhoeverLeavesTheSession) {
  const auto command = start("setsid sh -c 'sleep 60 & sleep 60' & wait", mark(1, 1));
  wait_for_marked(mark(1, 1), 4);
  Clearance clearance(mark(1, 1), {0, 1});  // one that turns into sleep at that moment is not asked
  clear(clearance);
  EXPECT_THAT(find_marked(mark(1, 1)), IsEmpty());
}

TEST(Mark, ASweepWithinATrialKeepsTheOuterOne) {
  ::setenv(Mark::kVariable, mark(5, 1).text().c_str(), 1);
  const auto command = start("exec sleep 60", mark(6, 2));
  ::unsetenv(Mark::kVariable);
  for (const Mark& each : {mark(5, 1), mark(6, 2)}) EXPECT_TRUE(become_marked(each, command->pid()));
}

TEST(Mark, ACopyOfAStudyIsAnotherOne) {
  const StudyFolder folder;
  const std::string path = folder.path() / "study.db", copy = folder.path() / "copy.db";
  const std::string token = study_token(StudyStore::create(path, {"method: random\n", "sweep.yaml"}));
  EXPECT_EQ(study_token(StudyStore::open(path)), token);
  EXPECT_EQ(study_token(StudyStore::open(folder.path() / "." / "study.db")), token);
  std::filesystem::copy_file(path, copy);
  EXPECT_NE(study_token(StudyStore::open(copy)), token);
}

TEST(Clearance, AsksFirstAndKillsBehindTheGrace) {
  const StudyFolder folder;
  const std::string asked = folder.path() / "asked", ready = folder.path() / "ready";
  const std::string loop = " TERM; echo >>" + ready + "; while :; do sleep 0.01; done";
  const auto polite = start("trap 'exit 0'" + loop, mark(2, 1));
  const auto deaf = start("trap 'echo >>" + asked + "'" + loop, mark(2, 2));
  ASSERT_TRUE(becomes_true([&] { return file_text(ready) == "\n\n"; }));
  const auto begin = Clock::now();
  Clearance clearance(mark(2, 2), {0, 0.5});
  clear(clearance);
  EXPECT_GE(Clock::now() - begin, std::chrono::milliseconds(500));
  EXPECT_EQ(file_text(asked), "\n") << "asked once";
  int status = 0;
  ASSERT_EQ(::waitpid(deaf->pid(), &status, 0), deaf->pid());
  deaf->note_status(status);
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
}

TEST(Clearance, WaitsForWhatEndsByItself) {
  const auto command = start("trap 'exit 3' TERM; sleep 0.2; exit 0", mark(3, 1));
  Clearance clearance(mark(3, 1), {5, 5});
  clear(clearance);
  int status = -1;
  ASSERT_EQ(::waitpid(command->pid(), &status, 0), command->pid());
  command->note_status(status);
  EXPECT_EQ(status, 0);
}

TEST(Clearance, IsDoneAtOnceWhereNothingIsLeft) { EXPECT_TRUE(Clearance(mark(4, 1), {60, 60}).advance()); }

TEST(Clearance, InAHurryKillsAtOnce) {
  const auto command = start("trap '' TERM; while :; do sleep 0.01; done", mark(8, 1));
  Clearance clearance(mark(8, 1), {60, 60});
  EXPECT_FALSE(clearance.advance());
  clearance.hurry();
  clear(clearance);
}

}  // namespace
}  // namespace trireme::tune
