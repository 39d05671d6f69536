#include "core/comm/job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <new>

#include "core/base/error.h"

namespace trireme {
namespace {

// What run_job prints and returns in a world of one. The program's name is this test's.
struct Outcome {
  int status;
  std::string printed;
};

Outcome run_alone(const std::function<int(Communicator&)>& body) {
  testing::internal::CaptureStderr();
  const int status = run_job(body);
  return {status, testing::internal::GetCapturedStderr()};
}

TEST(RunJob, WithoutAnMpiLauncherIsAWorldOfOne) {
  const auto outcome = run_alone([](Communicator& comm) { return comm.size() == 1 && comm.rank() == 0 ? 0 : 1; });
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.printed, "");
}

TEST(RunJob, ReturnsTheBodysStatus) {
  EXPECT_EQ(run_alone([](Communicator&) { return kExitResumable; }).status, 75);
}

TEST(RunJob, PrintsAnErrorAsOneLineAndMapsItsCode) {
  const auto usage = run_alone([](Communicator&) -> int { throw Error(ErrorCode::kUsage, "unknown key modle"); });
  EXPECT_EQ(usage.status, 2);
  EXPECT_EQ(usage.printed, "core_test: error: unknown key modle\n");
  EXPECT_EQ(run_alone([](Communicator&) -> int { throw Error(ErrorCode::kCorrupt, "x"); }).status, 1);
  EXPECT_EQ(run_alone([](Communicator&) -> int { throw Error(ErrorCode::kInterrupted, "x"); }).status, 75);
}

TEST(RunJob, ForeignErrorsAreFailuresAndLoseTheirStackTrace) {
  const auto foreign =
      run_alone([](Communicator&) -> int { throw std::runtime_error("sizes differ\nframe #0: at::matmul\n"); });
  EXPECT_EQ(foreign.status, 1);
  EXPECT_EQ(foreign.printed, "core_test: error: sizes differ\n");
  EXPECT_EQ(run_alone([](Communicator&) -> int { throw std::bad_alloc(); }).printed,
            "core_test: error: out of memory\n");
  EXPECT_EQ(run_alone([](Communicator&) -> int { throw 7; }).status, 1);
}

}  // namespace
}  // namespace trireme
