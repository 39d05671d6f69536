#include "tune/trial/command_process.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "core/base/error.h"
#include "tune/store/study_testing.h"
#include "tune/trial/cores.h"
#include "tune/trial/output_log.h"
#include "tune/trial/process_testing.h"

namespace trireme::tune {
namespace {

using Start = CommandProcess::Start;
using testing::HasSubstr;

Start shell(const std::string& text) {
  Start start;
  start.words = {"/bin/sh", "-c", text};
  return start;
}

struct Outcome {
  int status = -1;
  std::string out, err;
};

Outcome run(const Start& start) {
  const StudyFolder folder;
  CommandProcess command(start);
  OutputLog out(folder.path() / "out", "-"), err(folder.path() / "err", "-");
  out.follow(command.take_stdout());
  err.follow(command.take_stderr());
  Outcome outcome;
  while (out.descriptor() >= 0 || err.descriptor() >= 0) {
    std::array<pollfd, 2> files{{{out.descriptor(), POLLIN, 0}, {err.descriptor(), POLLIN, 0}}};
    ::poll(files.data(), files.size(), 1000);
    out.take([&](std::string_view bytes) { outcome.out += bytes; });
    err.take([&](std::string_view bytes) { outcome.err += bytes; });
  }
  ::waitpid(command.pid(), &outcome.status, 0);
  command.note_status(outcome.status);
  return outcome;
}

TEST(CommandProcess, HasItsOutputAndStatus) {
  const Outcome outcome = run(shell("echo out; echo err >&2; exit 3"));
  EXPECT_EQ(outcome.out, "out\n");
  EXPECT_EQ(outcome.err, "err\n");
  EXPECT_EQ(WEXITSTATUS(outcome.status), 3);
}

TEST(CommandProcess, SeesItsEnvironmentInPlaceOfOurs) {
  ::setenv("TRIREME_TEST_OURS", "1", 1);
  ::setenv("TRIREME_TEST_BOTH", "ours", 1);
  Start start = shell("echo $TRIREME_TEST_OURS $TRIREME_TEST_BOTH; env | grep -c TRIREME_TEST_BOTH");
  start.environment = {{"TRIREME_TEST_BOTH", "its own"}};
  EXPECT_EQ(run(start).out, "1 its own\n1\n");
  ::unsetenv("TRIREME_TEST_OURS");
  ::unsetenv("TRIREME_TEST_BOTH");
}

TEST(CommandProcess, LeadsASessionAndReadsNothing) {
  EXPECT_EQ(run(shell("cat; read -r pid comm state parent group session rest </proc/$$/stat; "
                      "test $session = $$ && echo leads"))
                .out,
            "leads\n");
}

TEST(CommandProcess, StartsWithoutOurSignals) {
  ::signal(SIGPIPE, SIG_IGN);
  const Outcome outcome = run(shell("grep -E '^Sig(Ign|Blk)' /proc/self/status"));
  ::signal(SIGPIPE, SIG_DFL);
  EXPECT_EQ(outcome.out, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST(CommandProcess, HoldsNothingOfAnotherOne) {
  const std::string alone = run(shell("ls /proc/$$/fd")).out;
  const CommandProcess other(shell("exec sleep 60"));
  EXPECT_EQ(run(shell("ls /proc/$$/fd")).out, alone);
}

TEST(CommandProcess, RunsOnItsCores) {
  const int core = allowed_cores().back();
  Start start = shell("grep Cpus_allowed_list /proc/self/status");
  start.cores = {core};
  EXPECT_EQ(run(start).out, "Cpus_allowed_list:\t" + std::to_string(core) + "\n");
}

TEST(CommandProcess, SaysWhyItCannotStart) {
  Start start;
  start.words = {"trian", "--steps=1"};
  EXPECT_THAT([&] { CommandProcess{start}; },
              throws_error(ErrorCode::kNotFound, "cannot start 'trian': No such file or directory"));
  const StudyFolder folder;
  std::ofstream(folder.path() / "data") << "no program";
  start.words = {folder.path() / "data"};
  EXPECT_THAT([&] { CommandProcess{start}; }, throws_error(ErrorCode::kNotFound, "data': Permission denied"));
  start.words = {"echo", std::string(1 << 22, 'x')};
  EXPECT_THAT([&] { CommandProcess{start}; }, throws_error(ErrorCode::kNotFound, "Argument list too long"));
}

TEST(CommandProcess, IsNotStartedBehindItsDeadline) {
  const StudyFolder folder;
  const std::string trace = folder.path() / "trace";
  Start start = shell("echo >" + trace);
  start.deadline = Clock::now() - std::chrono::milliseconds(1);
  EXPECT_THAT([&] { CommandProcess{start}; }, throws_error(ErrorCode::kTakenOver, "in time"));
  EXPECT_EQ(::access(trace.c_str(), F_OK), -1);
}

TEST(CommandProcess, EndsWithItsOwner) {
  pid_t process = 0;
  {
    const CommandProcess command(shell("exec sleep 60"));
    process = command.pid();
    EXPECT_TRUE(is_running(process));
  }
  EXPECT_FALSE(is_running(process));
}

TEST(CommandProcess, IsKilledWithThisProcess) {
  const StudyFolder folder;
  const std::string trace = folder.path() / "process";
  const pid_t owner = in_child([&] {
    const CommandProcess command(
        shell("echo $$ >" + trace + ".new; mv " + trace + ".new " + trace + "; exec sleep 60"));
    ::pause();
  });
  ASSERT_TRUE(becomes_true([&] { return process_in(trace) > 0; }));
  ::kill(owner, SIGKILL);
  ::waitpid(owner, nullptr, 0);
  EXPECT_TRUE(becomes_true([&] { return !is_running(process_in(trace)); }));
}

TEST(OutputLog, KeepsAttemptsApartInOneFile) {
  const StudyFolder folder;
  const std::string path = folder.path() / "log";
  OutputLog(path, "--- attempt 1");
  std::ofstream(path, std::ios::app) << "cut off";
  OutputLog(path, "--- attempt 2");
  EXPECT_EQ(file_text(path), "--- attempt 1\ncut off\n--- attempt 2\n");
}

std::string last_line_of(const std::string& printed) {
  const StudyFolder folder;
  std::array<int, 2> ends;
  EXPECT_EQ(::pipe2(ends.data(), O_NONBLOCK), 0);
  OutputLog log(folder.path() / "log", "-");
  log.follow(Descriptor(ends[0]));
  EXPECT_EQ(::write(ends[1], printed.data(), printed.size()), static_cast<ssize_t>(printed.size()));
  ::close(ends[1]);
  EXPECT_EQ(log.take([](std::string_view) {}), !printed.empty());
  EXPECT_EQ(log.descriptor(), -1);
  EXPECT_EQ(file_text(folder.path() / "log"), "-\n" + printed);
  return log.last_line(20);
}

TEST(OutputLog, KnowsItsLastLine) {
  EXPECT_EQ(last_line_of(""), "");
  EXPECT_EQ(last_line_of("first\nsecond\n\n  \n"), "second");
  EXPECT_EQ(last_line_of("first\nsecond"), "second");
  EXPECT_EQ(last_line_of("10%\r20%\r"), "20%");
  EXPECT_EQ(last_line_of("a\x1b[1mb"), "a [1mb");
  EXPECT_THAT(last_line_of(std::string(30'000, 'x') + "\n"), HasSubstr("xxxx"));
}

TEST(OutputLog, GoesOnTakingWhatItCannotWrite) {
  EXPECT_THAT([] { OutputLog("/dev/full", "-"); }, throws_error(ErrorCode::kIo, "No space left on device"));
  const StudyFolder folder;
  std::array<int, 2> ends;
  ASSERT_EQ(::pipe2(ends.data(), O_NONBLOCK), 0);
  OutputLog log(folder.path() / "log", "-");
  log.follow(Descriptor(ends[0]));
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{4, before.rlim_max};
  ::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &small);
  ASSERT_EQ(::write(ends[1], "12345678", 8), 8);
  std::string seen;
  const auto look = [&](std::string_view bytes) { seen += bytes; };
  testing::internal::CaptureStderr();
  EXPECT_TRUE(log.take(look));
  EXPECT_THAT(testing::internal::GetCapturedStderr(), testing::StartsWith("warn"));  // the limit is on this file too
  testing::internal::CaptureStderr();
  ASSERT_EQ(::write(ends[1], "90", 2), 2);
  EXPECT_TRUE(log.take(look));
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "") << "it is said once";
  EXPECT_EQ(seen, "1234567890");
  EXPECT_EQ(log.last_line(20), "1234567890");
  ::setrlimit(RLIMIT_FSIZE, &before);
  ::signal(SIGXFSZ, SIG_DFL);
  ::close(ends[1]);
}

}  // namespace
}  // namespace trireme::tune
