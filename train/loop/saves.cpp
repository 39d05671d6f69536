#include "train/loop/saves.h"

#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/trace.h"

namespace trireme::train {

using nlohmann::json;

Saves::Saves(Communicator& world, const TrainConfig& config, CheckpointSaver& saver, RunFiles& files, Console& console,
             Deadline& deadline, BestLosses losses, DurableStep newest, bool is_current)
    : world_(world),
      config_(config),
      saver_(saver),
      files_(files),
      console_(console),
      deadline_(deadline),
      clock_(config.checkpoint, world.size(), files.history()),
      losses_(std::move(losses)),
      newest_(std::move(newest)),
      saved_step_(is_current ? newest_.step : -1) {}

void Saves::save(const TrainingState& state) {
  if (saved_step_ == state.step) return;
  const TraceSpan span(kTraceCheckpoint, "save");
  const auto begin = std::chrono::steady_clock::now();
  wait();
  files_.event(names::kCheckpointRequested, state.step);
  console_.line("checkpoint-requested at step " + std::to_string(state.step));
  saved_step_ = state.step;
  const bool has_loss = state.eval_step == state.step && std::isfinite(*state.eval_loss);
  losses_.begin(has_loss ? state.eval_loss : std::nullopt);
  clock_.begins();
  const auto outcome = saver_.start(state.step, to_json(state, config_), [&files = files_] { files.sync_logs(); });
  stall_ms_ += std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  if (!outcome) return;
  if (world_.rank() == 0) tell(*outcome);
  take(*outcome);
}

void Saves::save_and_wait(const TrainingState& state) {
  constexpr int kAttempts = 3;
  for (int attempt = 1;; ++attempt) {
    save(state);
    wait();
    if (saved_step_ == state.step) return;
    if (attempt == kAttempts) break;
    for (int tenth = 0; tenth < 10 * attempt; ++tenth) {
      world_.check();
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  }
  throw Error(ErrorCode::kIo, "cannot save step ", state.step, ": ", failure_,
              newest_.step >= 0 ? "; the newest checkpoint is of step " + std::to_string(newest_.step)
                                : "; there is no checkpoint");
}

void Saves::wait() {
  if (!saver_.is_under_way()) return;
  if (const auto outcome = saver_.finish()) tell(*outcome);
  SavePhase phase = saver_.phase();
  world_.broadcast(&phase, sizeof phase, 0, kControl);
  advance(phase);
}

void Saves::poll() {
  if (const auto outcome = saver_.poll()) tell(*outcome);
}

void Saves::advance(SavePhase told) {
  if (const auto outcome = saver_.advance(told)) take(*outcome);
}

void Saves::put_times(StepRecord& record) {
  record.checkpoint_stall_ms = std::exchange(stall_ms_, 0);
  record.checkpoint_write_ms = std::exchange(write_ms_, 0);
}

// What came of a save, as rank 0 sees it first.
void Saves::tell(const CheckpointSaver::Outcome& outcome) {
  if (!outcome.failure.empty()) {
    clock_.failed();
    files_.event(names::kCheckpointFailed, outcome.step, {{"reason", outcome.failure}});
    log_warning("cannot save step " + std::to_string(outcome.step) + ": " + outcome.failure +
                "; training goes on, and it is tried again");
    return;
  }
  newest_ = {outcome.step, outcome.weights_hash};
  json details = {{"weights_hash", outcome.weights_hash},
                  {"bytes", outcome.bytes},
                  {"stall_ms", outcome.stall_ms},
                  {"write_ms", outcome.write_ms}};
  if (const std::optional<double>& loss = losses_.under_way()) {
    details[names::kEvalLoss] = *loss;
    details["best"] = losses_.is_best(*loss);
  }
  files_.event(names::kCheckpointDurable, outcome.step, details);
  console_.line("checkpoint-durable at step " + std::to_string(outcome.step));
}

// What came of a save, when all ranks know it.
void Saves::take(const CheckpointSaver::Outcome& outcome) {
  write_ms_ += outcome.write_ms;
  losses_.end(/*is_durable=*/outcome.failure.empty());
  if (!outcome.failure.empty()) {
    if (saved_step_ == outcome.step) saved_step_ = -1;
    failure_ = outcome.failure;
    return;
  }
  newest_.step = outcome.step;
  const double seconds = (outcome.stall_ms + outcome.write_ms) / 1000;
  deadline_.save_took(seconds);
  clock_.took(outcome.stall_ms / 1000, seconds);
}

}  // namespace trireme::train
