#pragma once
#include <chrono>
#include <cstdint>
#include <string>

namespace trireme::data {

/// Tells on stderr how far a long piece of work is: a terminal gets one line that is redrawn, with rate and time left,
/// anything else a plain line every few seconds. Work that ends before the first line was due says nothing.
class Progress {
 public:
  /// @param bytes_in_all  0 when unknown
  Progress(std::string what, std::uint64_t bytes_in_all);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Cheap enough to call for every document.
  void update(std::uint64_t bytes_done);

 private:
  using Clock = std::chrono::steady_clock;

  std::string what_;
  std::uint64_t bytes_in_all_;
  bool terminal_;
  bool drawn_ = false;
  std::uint64_t calls_ = 0;
  Clock::time_point begin_ = Clock::now(), last_ = begin_;
};

}  // namespace trireme::data
