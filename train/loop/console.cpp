#include "train/loop/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "core/base/text.h"

namespace trireme::train {
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

}  // namespace

Console::Console(bool speaks, std::int64_t first_step, std::int64_t last_step, double peak_flops)
    : speaks_(speaks),
      terminal_(::isatty(STDERR_FILENO) == 1 || launcher_columns() > 0),
      colour_(terminal_ && !std::getenv("NO_COLOR")),
      first_step_(first_step),
      last_step_(last_step),
      peak_flops_(peak_flops) {}

Console::~Console() {
  if (live_) std::fputc('\n', stderr);
}

void Console::step(const StepRecord& r) {
  if (!speaks_) return;
  const auto now = Clock::now();
  const bool ends = r.step == last_step_ || r.step == first_step_ + 1;
  if (!terminal_ && !ends && now - last_line_ < std::chrono::seconds(2)) return;
  last_line_ = now;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  const double left = seconds / static_cast<double>(std::max<std::int64_t>(1, r.step - first_step_)) *
                      static_cast<double>(last_step_ - r.step);
  // What matters most comes first: a narrow terminal cuts the end off.
  char text[320];
  std::snprintf(text, sizeof text,
                "step %lld/%lld  %s left  loss %.4f  %s tokens/s  grad norm %.3f  lr %.2e  MFU %.0f%% of %sF/s  %s",
                static_cast<long long>(r.step), static_cast<long long>(last_step_), duration_text(left).c_str(), r.loss,
                count_text(r.tokens_per_second).c_str(), r.grad_norm, r.learning_rate, 100 * r.mfu,
                count_text(peak_flops_).c_str(), bytes_text(static_cast<double>(r.memory_bytes)).c_str());
  if (!terminal_) {
    std::fprintf(stderr, "%s\n", text);
    return;
  }
  const std::size_t columns = std::max<std::size_t>(40, terminal_columns());
  const auto bar_size = static_cast<std::int64_t>(columns / 8);
  const std::int64_t filled = bar_size * r.step / std::max<std::int64_t>(1, last_step_);
  std::string bar;
  for (std::int64_t i = 0; i < bar_size; ++i) bar += i < filled ? "━" : "─";
  std::string shown = text;
  shown.resize(
      std::min(shown.size(), columns - static_cast<std::size_t>(bar_size) - 2));  // a wrapped line cannot be rewritten
  std::fprintf(stderr, "\r%s%s%s %s\x1b[K", colour_ ? "\x1b[36m" : "", bar.c_str(), colour_ ? "\x1b[0m" : "",
               shown.c_str());
  live_ = true;
  if (r.step == last_step_) {
    std::fputc('\n', stderr);
    live_ = false;
  }
  std::fflush(stderr);
}

void Console::line(const std::string& text) {
  if (!speaks_) return;
  std::fprintf(stderr, "%s%s\n", live_ ? "\r\x1b[K" : "", text.c_str());
  live_ = false;
}

}  // namespace trireme::train
