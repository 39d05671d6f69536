#include "train/report/watch.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/base/live_line.h"
#include "core/base/stop.h"
#include "train/report/run_log.h"
#include "train/report/screen.h"

namespace trireme::train {
namespace {

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

struct Size {
  std::size_t columns = 100, rows = 40;
};

Size size_of_terminal() {
  struct winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0)
    return {size.ws_col, size.ws_row};
  return {};
}

void put(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    throw Error(ErrorCode::kIo, "cannot write to stdout");
}

/// The whole screen of a terminal, for as long as this lives. What stood there comes back.
class WholeScreen {
 public:
  WholeScreen() : keys_(::isatty(STDIN_FILENO) == 1 && ::tcgetattr(STDIN_FILENO, &before_) == 0) {
    if (keys_) {
      struct termios raw = before_;
      raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG);  // keys come at once, Ctrl-C as a key
      raw.c_cc[VMIN] = 0;
      raw.c_cc[VTIME] = 0;
      ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
    }
    // A change of size has to end a wait; without a handler it would not.
    struct sigaction resized{};
    resized.sa_handler = [](int) {};
    sigemptyset(&resized.sa_mask);
    ::sigaction(SIGWINCH, &resized, &resized_before_);
    // Another screen, no cursor, and no wrapping: a line of wide characters may be longer than was counted.
    put("\x1b[?1049h\x1b[?25l\x1b[?7l");
  }
  ~WholeScreen() {
    std::fputs("\x1b[?7h\x1b[?25h\x1b[?1049l", stdout);
    std::fflush(stdout);
    if (keys_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
    ::sigaction(SIGWINCH, &resized_before_, nullptr);
  }
  WholeScreen(const WholeScreen&) = delete;
  WholeScreen& operator=(const WholeScreen&) = delete;

  static void show(const std::vector<std::string>& lines) {
    std::string text = "\x1b[H";
    for (std::size_t i = 0; i < lines.size(); ++i) text += (i > 0 ? "\r\n" : "") + lines[i] + "\x1b[K";
    put(text + "\x1b[J");
  }

  /// Waits for a key, a signal or the time. @returns whether to end
  bool wait(int ms) const {
    struct pollfd input = {STDIN_FILENO, POLLIN, 0};
    if (::poll(&input, keys_ ? 1 : 0, ms) > 0) {
      char keys[64];
      const ssize_t got = ::read(STDIN_FILENO, keys, sizeof keys);
      if (got <= 0) return true;  // the terminal is gone
      if (std::string_view(keys, static_cast<std::size_t>(got)).find_first_of("qQ\x03\x04") != std::string_view::npos)
        return true;
    }
    return stop_requested();
  }

 private:
  struct termios before_{};
  struct sigaction resized_before_{};
  bool keys_;
};

}  // namespace

void watch(const std::filesystem::path& run) {
  constexpr int kRefreshMs = 1000;
  RunLog log(run);
  const char* kind = std::getenv("TERM");
  if (::isatty(STDOUT_FILENO) != 1 || (kind && std::string_view(kind) == "dumb")) {
    const Size size = size_of_terminal();
    for (const std::string& line : screen_of(log, size.columns, size.rows, false, now())) put(line + "\n");
    return;
  }
  install_stop_signals();
  const WholeScreen screen;
  const bool colour = wants_colour();
  do {
    log.update();
    const Size size = size_of_terminal();
    std::vector<std::string> lines = screen_of(log, size.columns, size.rows - 1, colour, now());
    lines.resize(size.rows - 1);
    lines.push_back(colour ? "\x1b[2mq ends\x1b[0m" : "q ends");
    WholeScreen::show(lines);
  } while (!screen.wait(kRefreshMs));
}

}  // namespace trireme::train
