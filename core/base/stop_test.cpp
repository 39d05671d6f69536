#include "core/base/stop.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/time.h>
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
          std::_Exit(stop_requested() ? stop_signal() : 0);
        },
        testing::ExitedWithCode(number), "");
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
        std::_Exit(stop_requested() ? stop_signal() : 0);
      },
      testing::ExitedWithCode(SIGTERM), "");
}

TEST(StopDeathTest, WaitingForInputEndsWithDataWithTheEndAndWithASignal) {
  EXPECT_EXIT(
      {
        install_stop_signals();
        int ends[2];
        if (::pipe(ends) != 0) std::_Exit(1);
        if (::write(ends[1], "x", 1) != 1 || !wait_for_input(ends[0])) std::_Exit(2);
        char byte = 0;
        if (::read(ends[0], &byte, 1) != 1) std::_Exit(3);
        // Nothing more comes: only the signal can end this wait.
        struct itimerval soon{};
        soon.it_value.tv_usec = 50'000;
        ::signal(SIGALRM, [](int) { ::raise(SIGINT); });
        ::setitimer(ITIMER_REAL, &soon, nullptr);
        if (wait_for_input(ends[0])) std::_Exit(4);
        std::_Exit(stop_signal() == SIGINT ? 0 : 5);
      },
      testing::ExitedWithCode(0), "");
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ::close(ends[1]);
  EXPECT_TRUE(wait_for_input(ends[0])) << "the end of the input";
  ::close(ends[0]);
}

}  // namespace
}  // namespace trireme
