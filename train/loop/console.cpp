#include "train/loop/console.h"

#include <algorithm>
#include <cstdio>

#include "core/base/text.h"

namespace trireme::train {

Console::Console(bool speaks, std::int64_t first_step, std::int64_t last_step, double peak_flops)
    : speaks_(speaks), first_step_(first_step), last_step_(last_step), peak_flops_(peak_flops) {}

void Console::step(const StepRecord& r) {
  if (!speaks_) return;
  const bool ends = r.step == last_step_ || r.step == first_step_ + 1;
  if (!ends && !live_.due()) return;
  const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  const double left = seconds / static_cast<double>(std::max<std::int64_t>(1, r.step - first_step_)) *
                      static_cast<double>(last_step_ - r.step);
  char text[320];
  std::snprintf(text, sizeof text,
                "step %lld/%lld  %s left  loss %.4f  %s tokens/s  grad norm %.3f  lr %.2e  MFU %.0f%% of %sF/s  %s",
                static_cast<long long>(r.step), static_cast<long long>(last_step_), duration_text(left).c_str(), r.loss,
                count_text(r.tokens_per_second).c_str(), r.grad_norm, r.learning_rate, 100 * r.mfu,
                count_text(peak_flops_).c_str(), bytes_text(static_cast<double>(r.memory_bytes)).c_str());
  live_.show(static_cast<double>(r.step) / static_cast<double>(std::max<std::int64_t>(1, last_step_)), text);
  if (r.step == last_step_) live_.keep();
}

void Console::line(const std::string& text) {
  if (speaks_) live_.line(text);
}

}  // namespace trireme::train
