#include "data/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "core/base/text.h"

namespace trireme::data {

Progress::Progress(std::string what, std::uint64_t bytes_in_all)
    : what_(std::move(what)), bytes_in_all_(bytes_in_all), terminal_(::isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (drawn_ && terminal_) std::fputs("\r\033[K", stderr);
}

void Progress::update(std::uint64_t bytes_done) {
  if (++calls_ % 16 != 0) return;
  const auto now = Clock::now();
  if (now - last_ < (terminal_ ? std::chrono::milliseconds(100) : std::chrono::milliseconds(5000))) return;
  last_ = now;
  const double seconds = std::chrono::duration<double>(now - begin_).count();
  const double done = static_cast<double>(bytes_done), all = static_cast<double>(bytes_in_all_);
  std::string line = what_ + ": " + bytes_text(done);
  if (all > 0) line += " of " + bytes_text(all);
  line += ", " + bytes_text(done / seconds) + "/s";
  if (all > 0 && done > 0) line += ", " + duration_text(seconds * std::max(0.0, all - done) / done) + " left";
  if (terminal_ && all > 0) {
    constexpr int kWidth = 20;
    const int filled = std::clamp(static_cast<int>(kWidth * done / all), 0, kWidth);
    line = "[" + std::string(static_cast<std::size_t>(filled), '#') +
           std::string(static_cast<std::size_t>(kWidth - filled), '.') + "] " + line;
  }
  std::fprintf(stderr, terminal_ ? "\r\033[K%s" : "%s\n", line.c_str());
  std::fflush(stderr);
  drawn_ = true;
}

}  // namespace trireme::data
