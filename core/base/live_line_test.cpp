#include "core/base/live_line.h"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <thread>

namespace trireme {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::internal::CaptureStderr;
using ::testing::internal::GetCapturedStderr;

// Tests capture stderr in a file, which is no terminal; the launcher's variable stands for one of that width.
class LiveLineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ::unsetenv("TRIREME_LAUNCH_COLUMNS");
    ::unsetenv("NO_COLOR");
  }
  void TearDown() override { SetUp(); }
};

TEST_F(LiveLineTest, APipeGetsPlainLinesWithoutABar) {
  CaptureStderr();
  {
    LiveLine line;
    line.show(0.5, "half");
    line.clear();
    line.show(-1, "more");
    line.line("a note");
  }
  EXPECT_EQ(GetCapturedStderr(), "half\nmore\na note\n");
}

TEST_F(LiveLineTest, ATerminalGetsOneLineCutToItsWidthThatStaysAtTheEnd) {
  ::setenv("TRIREME_LAUNCH_COLUMNS", "40", 1);
  ::setenv("NO_COLOR", "1", 1);
  CaptureStderr();
  {
    LiveLine line;
    line.show(0.4, "abc");
    line.show(1, std::string(33, 'x') + "é and more");
  }
  EXPECT_EQ(GetCapturedStderr(), "\r━━─── abc\x1b[K\r━━━━━ " + std::string(33, 'x') + "\x1b[K\n");
}

TEST_F(LiveLineTest, AFractionThatNobodyKnowsHasNoBar) {
  ::setenv("TRIREME_LAUNCH_COLUMNS", "80", 1);
  CaptureStderr();
  LiveLine().show(-1, "12 MiB");
  EXPECT_EQ(GetCapturedStderr(), "\r12 MiB\x1b[K\n");
}

TEST_F(LiveLineTest, OnlyTheBarIsColouredAndNoColorTakesThatAway) {
  ::setenv("TRIREME_LAUNCH_COLUMNS", "80", 1);
  CaptureStderr();
  LiveLine().show(0.5, "half");
  EXPECT_THAT(GetCapturedStderr(), AllOf(HasSubstr("\x1b[36m"), HasSubstr("\x1b[0m half")));
  ::setenv("NO_COLOR", "1", 1);
  CaptureStderr();
  LiveLine().show(0.5, "half");
  EXPECT_THAT(GetCapturedStderr(), Not(HasSubstr("\x1b[36m")));
}

TEST_F(LiveLineTest, ALineThatStaysTakesThePlaceOfTheLiveOne) {
  ::setenv("TRIREME_LAUNCH_COLUMNS", "80", 1);
  CaptureStderr();
  {
    LiveLine line;
    line.show(-1, "working");
    line.line("note");
  }
  EXPECT_EQ(GetCapturedStderr(), "\rworking\x1b[K\r\x1b[Knote\n");
}

TEST_F(LiveLineTest, IsDueAgainAfterAMoment) {
  ::setenv("TRIREME_LAUNCH_COLUMNS", "80", 1);
  CaptureStderr();
  LiveLine line;
  line.show(0, "begin");
  EXPECT_FALSE(line.due());
  std::this_thread::sleep_for(std::chrono::milliseconds(150));
  EXPECT_TRUE(line.due());
  GetCapturedStderr();
}

}  // namespace
}  // namespace trireme
