#include "tune/commands/live_block.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace trireme::tune {
namespace {

struct winsize terminal_size() {
  struct winsize size{};
  ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size);
  return size;
}

}  // namespace

LiveBlock::LiveBlock() : terminal_(::isatty(STDERR_FILENO) == 1) {}

std::size_t LiveBlock::columns() const {
  const std::size_t columns = terminal_size().ws_col;
  return columns > 0 ? columns - 1 : 99;
}

std::size_t LiveBlock::rows() const {
  const std::size_t rows = terminal_size().ws_row;
  return rows > 0 ? rows : 24;
}

void LiveBlock::show(const std::vector<std::string>& lines) {
  if (!terminal_) return;
  std::string text = shown_ > 0 ? "\x1b[" + std::to_string(shown_) + "A\r" : "";
  for (const std::string& line : lines) text += line + "\x1b[K\n";
  text += "\x1b[J";  // what is left of more lines
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
  shown_ = lines.size();
}

void LiveBlock::line(const std::string& text) {
  clear();
  std::fprintf(stderr, "%s\n", text.c_str());
}

}  // namespace trireme::tune
