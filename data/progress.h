#pragma once
#include <chrono>
#include <cstdint>
#include <string>

#include "core/base/live_line.h"

namespace trireme::data {

/// Tells how far a long piece of work over bytes of input is: done, rate, time left. Work that ends before the first
/// line was due says nothing, and a terminal's line goes with its end.
class Progress {
 public:
  /// @param bytes_in_all  0 when unknown
  Progress(std::string what, std::uint64_t bytes_in_all);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Costs a look at the clock.
  void update(std::uint64_t bytes_done);

 private:
  using Clock = std::chrono::steady_clock;
  std::string what_;
  std::uint64_t bytes_in_all_;
  LiveLine live_;
  Clock::time_point begin_ = Clock::now();
};

}  // namespace trireme::data
