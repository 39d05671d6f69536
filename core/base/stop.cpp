#include "core/base/stop.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

namespace trireme {
namespace {

std::atomic<bool> requested{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may use nothing else");

extern "C" void on_stop_signal(int number) {
  // _exit and not exit: destructors and handlers of exit are not safe in a signal handler.
  if (requested.exchange(true)) ::_exit(128 + number);
}

}  // namespace

void install_stop_signals() {
  struct sigaction action{};
  action.sa_handler = on_stop_signal;
  action.sa_flags = SA_RESTART;  // reads and writes go on: a stop is noticed at the next look at stop_requested()
  sigemptyset(&action.sa_mask);
  for (const int number : {SIGTERM, SIGINT, SIGUSR1}) ::sigaction(number, &action, nullptr);
}

bool stop_requested() { return requested.load(std::memory_order_relaxed); }

void request_stop() { requested.store(true); }

}  // namespace trireme
