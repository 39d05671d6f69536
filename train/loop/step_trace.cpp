#include "train/loop/step_trace.h"

#include <cstdio>
#include <string>
#include <utility>

#include "core/base/durable.h"
#include "core/base/log.h"

namespace trireme::train {

StepTrace::StepTrace(Communicator& world, const LogConfig& config, std::filesystem::path run,
                     std::filesystem::path staging)
    : world_(world), steps_(config.traced_steps()), run_(std::move(run)), staging_(std::move(staging)) {}

StepTrace::~StepTrace() {
  step_.reset();
  if (trace_) Trace::make_current(nullptr);
}

std::filesystem::path StepTrace::folder() const {
  return run_ / "traces" / ("steps-" + std::to_string(first_) + "-" + std::to_string(last_));
}

void StepTrace::before(std::int64_t step) {
  if (!steps_ || step < steps_->first || step > steps_->last) return;
  last_ = step;
  if (!trace_) {
    first_ = step;
    world_.barrier();  // all begin at 0, whatever the clocks of their nodes say
    trace_.emplace();
    Trace::make_current(&*trace_);
  }
  step_.emplace("step", "step", TraceNumbers{{{"number", step}}});
}

bool StepTrace::after(std::int64_t step) {
  step_.reset();
  return steps_ && step >= steps_->last && finish();
}

bool StepTrace::finish() {
  step_.reset();
  if (!trace_) return false;
  Trace::make_current(nullptr);
  char name[32];
  std::snprintf(name, sizeof name, "rank-%05d.json", world_.rank());
  // A run is not to end for it.
  bool written = true;
  try {
    // First, as it fails where another start owns the run.
    write_new_file(staging_ / name, trace_->to_json("rank " + std::to_string(world_.rank()), world_.rank()), "trace");
    std::filesystem::create_directories(folder());
    move_over(staging_ / name, folder() / name, "trace");
  } catch (const std::exception& error) {
    log_warning(std::string("no trace: ") + error.what());
    written = false;
  }
  trace_.reset();
  return written;
}

}  // namespace trireme::train
