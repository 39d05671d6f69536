#include "tune/commands/run_sweep.h"

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/stop.h"
#include "core/base/text.h"
#include "tune/commands/progress.h"
#include "tune/commands/trial_text.h"
#include "tune/sweep/command.h"
#include "tune/trial/runner.h"
#include "tune/trial/runs_folder.h"
#include "tune/trial/training_job.h"

namespace trireme::tune {
namespace {

constexpr std::size_t kShown = 10;  // best trials at the end

void expect_runnable(const Sweep& sweep, const std::string& study) {
  if (!sweep.command.empty() || !sweep.shell_command.empty() || !sweep.base.empty()) return;
  throw Error(ErrorCode::kUsage,
              "the sweep has neither command, program nor base, so there is nothing to run: give it "
              "one of them, or let a program of your own try the trials of trireme-tune ask ",
              study, " and report by trireme-tune tell");
}

Study open_or_create(const Sweep& sweep, const RunOptions& options, const std::string& location) {
  if (!StudyStore::exists(location)) {
    expect_no_runs(location);
    return Study::create(location, sweep.text, options.sweep);
  }
  Study study = open_study(location);
  std::error_code error;
  const std::string place = study.store().location();
  const bool is_same_base = sweep.base.empty() || fs::equivalent(sweep.base, study.sweep().base, error);
  if (study.sweep().text == sweep.text && is_same_base) return study;
  try {
    const auto changed = study.take_limits(sweep.text, options.sweep);
    std::fprintf(stderr, "trireme-tune: %s takes %s from %s\n", place.c_str(),
                 changed.empty() ? "its text" : join(changed, ", ").c_str(), options.sweep.c_str());
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kUsage) throw;
    throw Error(error.code(), error.what(), ": trireme-tune resume ", shell_quoted(place),
                " goes on with the sweep as it was, run with another --study begins a new one");
  }
  return study;
}

// The best ones first; of several objectives, the front by number.
std::vector<const Trial*> shown_trials(Study& study) {
  if (study.sweep().objectives.size() > 1) return study.best();
  std::vector<const Trial*> complete;
  for (const Trial& trial : study.trials())
    if (trial.state == TrialState::kComplete) complete.push_back(&trial);
  std::ranges::stable_sort(complete, [&](const Trial* a, const Trial* b) {
    return study.sweep().objectives[0].maximize ? a->values > b->values : a->values < b->values;
  });
  if (complete.size() > kShown) complete.resize(kShown);
  return complete;
}

void print_outcome(Study& study, const std::string& location, const SlotOptions& slots) {
  if (slots.json) {
    print_json({{"study", study.store().location()},
                {"finished", study.is_finished()},
                {"trials", counts_json(study.trials())},
                {"objectives", objectives_json(study.sweep())},
                {"best", best_json(study, location)}});
    return;
  }
  const auto shown = shown_trials(study);
  if (!shown.empty()) print_table(trial_table(study.sweep(), shown));
}

// @throws Error kBadInput when trials were run, and none of the study's has a value
void expect_a_value(Study& study, std::int64_t ended) {
  const auto& trials = study.trials();
  if (ended == 0 || count_of(trials, TrialState::kComplete) > 0) return;
  const auto last = std::ranges::max_element(trials, {}, &Trial::ended);
  throw Error(ErrorCode::kBadInput, "no trial has a value (", counts_text(trials), "); trial ", last->number, ": ",
              last->reason.empty() ? std::string(to_text(last->state)) : last->reason);
}

int run(Study& study, const std::string& location, const SlotOptions& slots) {
  install_stop_signals();
  Progress progress(study);
  const RunnerOptions options{.jobs = slots.jobs > 0 ? slots.jobs : study.sweep().jobs,
                              .lease_seconds = slots.lease,
                              .launcher = slots.launcher,
                              .trainer = slots.trainer};
  const RunnerResult result =
      run_trials(study, options, [&](const std::vector<SlotState>& states) { progress.show(states); });
  progress.end();
  print_outcome(study, location, slots);
  if (!result.finished && !result.timed_out) {
    std::cout.flush();
    std::fprintf(stderr, "trireme-tune: stopped; to go on: trireme-tune resume %s\n",
                 shell_quoted(study.store().location()).c_str());
    return kExitResumable;
  }
  if (result.timed_out) std::fprintf(stderr, "trireme-tune: the sweep's timeout is over\n");
  expect_a_value(study, result.ended);
  return kExitDone;
}

}  // namespace

int run_sweep(const RunOptions& options, const SlotOptions& slots) {
  const Sweep sweep = open_sweep(options.sweep);
  const std::string location =
      options.study.empty() ? fs::path(options.sweep).stem().string() + ".study" : options.study;
  refuse_sweep_file(location);
  expect_runnable(sweep, location);
  check_training_sweep(sweep);
  Study study = open_or_create(sweep, options, location);
  return run(study, location, slots);
}

int resume_study(const ResumeOptions& options, const SlotOptions& slots) {
  Study study = open_study(options.study);
  expect_runnable(study.sweep(), options.study);
  check_training_sweep(study.sweep());
  return run(study, options.study, slots);
}

}  // namespace trireme::tune
