#include "core/base/stop.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>

namespace trireme {
namespace {

// In a process of its own each: a stop cannot be taken back.
TEST(StopDeathTest, OneSignalAsksForAStop) {
  for (const int number : {SIGTERM, SIGINT, SIGUSR1}) {
    EXPECT_EXIT(
        {
          install_stop_signals();
          if (stop_requested()) std::_Exit(1);
          ::raise(number);
          std::_Exit(stop_requested() ? 0 : 2);
        },
        testing::ExitedWithCode(0), "");
  }
}

TEST(StopDeathTest, ASecondSignalEndsTheProcessAtOnce) {
  EXPECT_EXIT(
      {
        install_stop_signals();
        ::raise(SIGUSR1);
        ::raise(SIGTERM);
        for (;;) ::pause();
      },
      testing::ExitedWithCode(128 + SIGTERM), "");
}

TEST(StopDeathTest, AProgramMayAskItself) {
  EXPECT_EXIT(
      {
        request_stop();
        std::_Exit(stop_requested() ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace trireme
