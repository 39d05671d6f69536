#include "train/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/base/error.h"

namespace trireme::train {
namespace {

// From 1 at the beginning of a decay to 0 at its end.
double fall(const std::string& shape, double done) {
  if (shape == "linear") return 1 - done;
  if (shape == "cosine") return 0.5 * (1 + std::cos(std::numbers::pi * done));
  if (shape == "1-sqrt") return 1 - std::sqrt(done);
  throw Error(ErrorCode::kBug, "a learning rate cannot fall like ", shape);
}

}  // namespace

double learning_rate(const TrainConfig& config, std::int64_t step) {
  const ScheduleConfig& schedule = config.schedule;
  const double peak = config.optimizer.learning_rate;
  const std::int64_t warmup = schedule.warmup_steps;
  if (step <= warmup) return peak * static_cast<double>(step) / static_cast<double>(warmup);
  if (schedule.name == "constant") return peak;
  const bool wsd = schedule.name == "wsd";
  const std::int64_t begin = wsd ? config.steps - schedule.decay_steps_or_default(config.steps) : warmup;
  if (step <= begin) return peak;
  const double done = std::min(
      1.0, static_cast<double>(step - begin) / static_cast<double>(std::max<std::int64_t>(1, config.steps - begin)));
  const double low = schedule.final_ratio;
  return peak * (low + (1 - low) * fall(wsd ? schedule.decay_shape : schedule.name, done));
}

bool same_learning_rates(const TrainConfig& config, std::int64_t planned, std::int64_t done) {
  TrainConfig then = config;
  then.steps = planned;
  for (std::int64_t step = 1; step <= done; ++step)
    if (learning_rate(then, step) != learning_rate(config, step)) return false;
  return true;
}

}  // namespace trireme::train
