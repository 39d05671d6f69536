#include "train/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace trireme::train {

double learning_rate(const TrainConfig& config, std::int64_t step) {
  const double peak = config.optimizer.learning_rate;
  const std::int64_t warmup = config.schedule.warmup_steps;
  if (step <= warmup) return peak * static_cast<double>(step) / static_cast<double>(warmup);
  if (config.schedule.name == "constant") return peak;
  const double done =
      static_cast<double>(step - warmup) / static_cast<double>(std::max<std::int64_t>(1, config.steps - warmup));
  const double low = config.schedule.final_ratio;
  return peak * (low + (1 - low) * 0.5 * (1 + std::cos(std::numbers::pi * std::min(1.0, done))));
}

}  // namespace trireme::train
