#include "core/base/stop.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "core/base/error.h"

namespace trireme {
namespace {

std::atomic<int> requested{0};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may use nothing else");

extern "C" void on_stop_signal(int number) {
  // _exit and not exit: destructors and handlers of exit are not safe in a signal handler.
  if (int none = 0; !requested.compare_exchange_strong(none, number)) ::_exit(128 + number);
}

}  // namespace

void install_stop_signals() {
  struct sigaction action{};
  action.sa_handler = on_stop_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (const int number : {SIGTERM, SIGINT, SIGUSR1}) ::sigaction(number, &action, nullptr);
}

bool stop_requested() { return stop_signal() != 0; }

int stop_signal() { return requested.load(std::memory_order_relaxed); }

void request_stop() {
  int none = 0;
  requested.compare_exchange_strong(none, SIGTERM);
}

bool wait_for_input(int file) {
  // A signal may come between the look and the wait, or to another thread: hence not without end. An error of poll is
  // left to the read that follows.
  constexpr int kLookEveryMs = 100;
  pollfd input{file, POLLIN, 0};
  while (!stop_requested()) {
    const int ready = ::poll(&input, 1, kLookEveryMs);
    if (ready > 0 || (ready < 0 && errno != EINTR)) return true;
  }
  return false;
}

void throw_if_stop_requested() {
  if (stop_requested()) throw Error(ErrorCode::kInterrupted, "stopped by signal ", stop_signal());
}

}  // namespace trireme
