#include "core/base/live_line.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "core/base/text.h"

namespace trireme {
namespace {

// Under mpirun stderr is a pipe; scripts/launch/mpi says so when a terminal of this width is at its other end.
std::size_t launcher_columns() {
  const char* text = std::getenv("TRIREME_LAUNCH_COLUMNS");
  return text ? std::strtoul(text, nullptr, 10) : 0;
}

std::size_t terminal_columns() {
  struct winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return launcher_columns() > 0 ? launcher_columns() : 100;
}

constexpr const char* kToStart = "\r";
constexpr const char* kEraseRest = "\x1b[K";

}  // namespace

bool wants_colour() {
  const char* text = std::getenv("NO_COLOR");
  return !text || !*text;
}

std::string progress_bar(double fraction, std::size_t cells, bool colour) {
  const auto filled = static_cast<std::size_t>(static_cast<double>(cells) * std::clamp(fraction, 0.0, 1.0));
  std::string bar = colour ? "\x1b[36m" : "";
  for (std::size_t i = 0; i < cells; ++i) bar += i < filled ? "━" : "─";
  return colour ? bar + "\x1b[0m" : bar;
}

LiveLine::LiveLine()
    : terminal_(::isatty(STDERR_FILENO) == 1 || launcher_columns() > 0), colour_(terminal_ && wants_colour()) {}

LiveLine::~LiveLine() { keep(); }

bool LiveLine::due() const {
  return Clock::now() - last_ >= (terminal_ ? std::chrono::milliseconds(100) : std::chrono::milliseconds(2000));
}

void LiveLine::show(double fraction, const std::string& text) {
  last_ = Clock::now();
  if (!terminal_) {
    std::fprintf(stderr, "%s\n", text.c_str());
    return;
  }
  const std::size_t columns = std::max<std::size_t>(40, terminal_columns());
  std::size_t room = columns - 1;  // a wrapped line cannot be rewritten
  std::string bar;
  if (fraction >= 0) {
    const std::size_t size = columns / 8;
    bar = progress_bar(fraction, size, colour_);
    bar += ' ';
    room -= size + 1;
  }
  const std::string shown = text.substr(0, complete_utf8_prefix(text.substr(0, room)));
  std::fprintf(stderr, "%s%s%s%s", kToStart, bar.c_str(), shown.c_str(), kEraseRest);
  std::fflush(stderr);
  shown_ = true;
}

void LiveLine::keep() {
  if (shown_) std::fputc('\n', stderr);
  shown_ = false;
}

void LiveLine::clear() {
  if (shown_) std::fprintf(stderr, "%s%s", kToStart, kEraseRest);
  shown_ = false;
}

void LiveLine::line(const std::string& text) {
  clear();
  std::fprintf(stderr, "%s\n", text.c_str());
}

}  // namespace trireme
