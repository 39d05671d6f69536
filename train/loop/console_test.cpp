#include "train/loop/console.h"

#include <gmock/gmock.h>
#include <unistd.h>

namespace trireme::train {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::internal::CaptureStderr;
using ::testing::internal::GetCapturedStderr;

StepRecord record(std::int64_t step) {
  StepRecord r;
  r.step = step;
  r.loss = 2.25;
  r.grad_norm = 0.5;
  r.learning_rate = 3e-4;
  r.tokens_per_second = 12345;
  r.mfu = 0.5;
  r.memory_bytes = 3 << 20;
  return r;
}

// Tests capture stderr in a file, which is what a pipe is to the console: no terminal.
TEST(Console, APipeGetsPlainLinesForTheFirstAndTheLastStep) {
  ::unsetenv("TRIREME_LAUNCH_COLUMNS");
  CaptureStderr();
  {
    Console console(true, 0, 5, 1e11);
    for (const std::int64_t step : {1, 2, 3, 4, 5}) console.step(record(step));
  }
  const std::string text = GetCapturedStderr();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2) << text;
  EXPECT_THAT(text, AllOf(HasSubstr("step 1/5"), HasSubstr("step 5/5"), HasSubstr("loss 2.2500"),
                          HasSubstr("12.3k tokens/s"), HasSubstr("MFU 50%"), HasSubstr("3.0 MiB")));
  EXPECT_EQ(text.find_first_of("\r\x1b"), std::string::npos) << "control characters in a pipe";
}

TEST(Console, AfterAResumeTheFirstStepIsTheOneBehindIt) {
  ::unsetenv("TRIREME_LAUNCH_COLUMNS");
  CaptureStderr();
  {
    Console console(true, 40, 100, 1e11);
    console.step(record(41));
    console.step(record(42));
  }
  EXPECT_THAT(GetCapturedStderr(), AllOf(HasSubstr("step 41/100"), Not(HasSubstr("step 42/100"))));
}

TEST(Console, LinesThatStayArePlainInAPipe) {
  ::unsetenv("TRIREME_LAUNCH_COLUMNS");
  CaptureStderr();
  Console(true, 0, 5, 1e11).line("resumed at step 3");
  EXPECT_EQ(GetCapturedStderr(), "resumed at step 3\n");
}

TEST(Console, OtherRanksAreSilent) {
  CaptureStderr();
  {
    Console console(false, 0, 1, 1e11);
    console.step(record(1));
    console.line("nothing");
  }
  EXPECT_EQ(GetCapturedStderr(), "");
}

}  // namespace
}  // namespace trireme::train
