#include "data/commands/options.h"

#include <algorithm>
#include <cstdio>
#include <thread>

#include "core/base/error.h"
#include "core/base/stop.h"

namespace trireme::data {

int threads_of(std::int64_t asked_for) {
  return asked_for > 0 ? static_cast<int>(asked_for)
                       : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

int unless_stopped(const std::function<void()>& work) {
  install_stop_signals();
  try {
    work();
    return kExitDone;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInterrupted) throw;
    std::fprintf(stderr, "trireme-data: %s; no result is kept\n", error.what());
    return 128 + stop_signal();
  }
}

}  // namespace trireme::data
