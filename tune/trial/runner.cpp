#include "tune/trial/runner.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <filesystem>
#include <iterator>
#include <memory>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/stop.h"
#include "tune/trial/clock.h"
#include "tune/trial/cores.h"
#include "tune/trial/first_failures.h"
#include "tune/trial/runs_folder.h"
#include "tune/trial/trial_run.h"
#include "tune/trial/worker.h"

namespace trireme::tune {
namespace {

constexpr auto kLongestWait = std::chrono::milliseconds(200);  // a stop may come between the look for it and the wait
constexpr auto kLookAround = std::chrono::seconds(1);          // for what other workers do
constexpr auto kShowEvery = std::chrono::milliseconds(200);    // what commands print

// A command may be in another folder.
std::string whole_location(const std::string& location) {
  std::error_code error;
  return std::filesystem::exists(location, error) ? std::filesystem::absolute(location).string() : location;
}

/// Orphans of our commands become our children while it is there, and not init's.
class Subreaper {
 public:
  Subreaper() {
    ::prctl(PR_GET_CHILD_SUBREAPER, &before_);
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    ::signal(SIGCHLD, SIG_DFL);  // where it is ignored, statuses are thrown away
  }
  ~Subreaper() { ::prctl(PR_SET_CHILD_SUBREAPER, before_); }
  Subreaper(const Subreaper&) = delete;
  Subreaper& operator=(const Subreaper&) = delete;

 private:
  int before_ = 0;
};

struct Slot {
  std::vector<int> cores;
  std::unique_ptr<TrialRun> run;
  Clock::time_point renew_at;
};

class Runner {
 public:
  using Watch = std::function<void(const std::vector<SlotState>&)>;

  Runner(Study& study, const RunnerOptions& options, const Watch& watch)
      : study_(study),
        options_(options),
        watch_(watch),
        context_{.sweep = study.sweep(),
                 .study = study_token(study.store()),
                 .location = whole_location(study.store().location()),
                 .folder = claim_runs_folder(study),
                 .grace_seconds = options.grace_seconds,
                 .saving_seconds = options.saving_seconds},
        failures_(std::max<std::int64_t>(5, options.jobs + 2)) {
    if (!context_.sweep.base.empty()) context_.programs = TrainingPrograms::find(options.trainer, options.launcher);
    for (auto& cores : split_cores(allowed_cores(), options.jobs)) slots_.push_back({std::move(cores), nullptr, {}});
    const double limit = context_.sweep.timeout_seconds;
    if (limit > 0) stop_at_ = Clock::now() + clock_seconds(limit);
  }

  RunnerResult run() {
    try {
      while (step()) wait();
      if (broken_) std::rethrow_exception(broken_);
    } catch (...) {
      end_all();
      throw;
    }
    return result_;
  }

 private:
  // @returns whether there is more to do
  bool step() {
    reap();
    bool changed = advance();
    renew_leases();
    if (!is_stopping_ && (stop_requested() || Clock::now() >= stop_at_)) stop();
    if (may_begin()) changed = fill_slots() || changed;
    show(changed);
    if (!is_idle()) return true;
    return may_begin() && !(result_.finished = study_.is_finished());
  }

  bool may_begin() const { return !is_stopping_ && !broken_; }

  void reap() {
    int status = 0;
    for (pid_t process = 0; (process = ::waitpid(-1, &status, WNOHANG)) > 0;)
      for (Slot& slot : slots_)
        if (slot.run && slot.run->take_status(process, status)) break;
  }

  bool advance() {
    bool changed = false;
    for (Slot& slot : slots_) {
      if (!slot.run) continue;
      changed = advance(slot) || changed;
      if (slot.run && slot.run->verdict()) settle(slot);
    }
    return changed;
  }

  bool advance(Slot& slot) {
    try {
      return slot.run->advance();
    } catch (const Error& error) {
      // Its folder cannot be written to, and so cannot others: those that run go on to their end, and none is begun.
      if (!broken_) broken_ = std::current_exception();
      const std::unique_ptr<TrialRun> run = std::move(slot.run);
      give_back(*run, error.what());
      return true;
    }
  }

  void give_back(const TrialRun& run, const std::string& reason) {
    try {
      study_.store().release(run.trial().number, run.trial().attempt, reason);
    } catch (const Error& error) {  // its lease runs out
      log_warning(error.what());
    }
  }

  void settle(Slot& slot) {
    const std::unique_ptr<TrialRun> run = std::move(slot.run);
    ask_at_ = Clock::now();
    if (!tell(*run)) return;
    if (run->verdict()->kind != Verdict::Kind::kAgain) ++result_.ended;
    failures_.note(*run->verdict(), run->seconds(), trial_folder(context_.location, run->trial().number));
  }

  // @returns whether it was ours to tell
  bool tell(const TrialRun& run) {
    const Verdict& verdict = *run.verdict();
    const auto [trial, attempt] = std::pair(run.trial().number, run.trial().attempt);
    try {
      switch (verdict.kind) {
        case Verdict::Kind::kValues:
          study_.tell(trial, attempt, verdict.values);
          return true;
        case Verdict::Kind::kFailed:
          study_.tell(trial, attempt, TrialState::kFailed, verdict.reason);
          return true;
        case Verdict::Kind::kAgain:
          study_.store().release(trial, attempt, verdict.reason);
          return true;
        case Verdict::Kind::kForget:
          return false;
      }
    } catch (const Error& error) {
      // Another runner has it, or somebody told its result by hand.
      if (error.code() != ErrorCode::kTakenOver && error.code() != ErrorCode::kBadInput) throw;
      log_warning(error.what());
    }
    return false;
  }

  void renew_leases() {
    for (Slot& slot : slots_) {
      if (!slot.run || Clock::now() < slot.renew_at) continue;
      const auto now = Clock::now();
      slot.renew_at = now + clock_seconds(options_.lease_seconds / 3);
      try {
        study_.store().renew(slot.run->trial().number, slot.run->trial().attempt, options_.lease_seconds);
        slot.run->extend(now + clock_seconds(options_.lease_seconds));
      } catch (const Error& error) {
        if (error.code() != ErrorCode::kTakenOver) throw;
        log_warning(error.what());
        slot.run->interrupt(Interruption::kTakenOver);
        slot.renew_at = Clock::time_point::max();
      }
    }
  }

  void stop() {
    is_stopping_ = true;
    result_.timed_out = !stop_requested();
    for (Slot& slot : slots_)
      if (slot.run) slot.run->interrupt(Interruption::kStop);
  }

  bool fill_slots() {
    bool changed = false;
    for (Slot& slot : slots_) {
      if (slot.run || Clock::now() < ask_at_ || stop_requested()) continue;
      expire_lost_trials();
      const auto asked = Clock::now();
      auto trial = study_.ask(worker_, options_.lease_seconds);
      if (!trial) {
        ask_at_ = Clock::now() + kLookAround;
        break;
      }
      const auto folder = std::filesystem::absolute(trial_folder(context_.location, trial->number));
      slot.run = std::make_unique<TrialRun>(context_, std::move(*trial), folder, slot.cores,
                                            asked + clock_seconds(options_.lease_seconds));
      slot.renew_at = asked + clock_seconds(options_.lease_seconds / 3);
      advance(slot);
      changed = true;
      if (!may_begin()) break;
    }
    return changed;
  }

  // A lease without end is somebody's who asked and tells later, by hand.
  void expire_lost_trials() {
    if (Clock::now() < look_for_lost_at_) return;
    look_for_lost_at_ = Clock::now() + kLookAround;
    std::vector<Trial> lost;
    std::ranges::copy_if(study_.trials(), std::back_inserter(lost), [](const Trial& trial) {
      return trial.state == TrialState::kRunning && trial.lease_until != 0 && is_gone(trial.worker);
    });
    for (const Trial& trial : lost) study_.store().expire(trial.number, trial.attempt);
  }

  bool is_idle() const {
    return std::none_of(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.run != nullptr; });
  }

  void show(bool changed) {
    if (!changed && Clock::now() < show_at_) return;
    show_at_ = Clock::now() + kShowEvery;
    std::vector<SlotState> states;
    for (const Slot& slot : slots_)
      states.push_back(slot.run ? SlotState{slot.run->trial().number, slot.run->seconds(), slot.run->last_line()}
                                : SlotState{});
    watch_(states);
  }

  void wait() {
    std::vector<pollfd> descriptors;
    auto until = Clock::now() + kLongestWait;
    for (const Slot& slot : slots_) {
      if (!slot.run) continue;
      slot.run->watch(descriptors);
      until = std::min({until, slot.run->next(), slot.renew_at});
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    ::poll(descriptors.data(), descriptors.size(), static_cast<int>(std::max<std::int64_t>(left, 0)));
  }

  // Behind an error: nothing of ours goes on, and what the store still takes is told to it.
  void end_all() noexcept {
    for (Slot& slot : slots_)
      if (slot.run) slot.run->interrupt(Interruption::kStop);
    while (!is_idle()) {
      reap();
      for (Slot& slot : slots_)
        if (slot.run && is_over_or_lost(*slot.run)) slot.run.reset();
      try {
        renew_leases();
      } catch (const std::exception&) {  // said before, most likely
      }
      if (!is_idle()) wait();
    }
  }

  // What cannot be told: its lease runs out, or this process is seen to be gone.
  bool is_over_or_lost(TrialRun& run) noexcept {
    try {
      run.advance();
      if (run.verdict()) tell(run);
    } catch (const std::exception& error) {
      log_warning(error.what());
    }
    return run.verdict().has_value();
  }

  Study& study_;
  const RunnerOptions& options_;
  const Watch& watch_;
  RunContext context_;
  const Subreaper subreaper_;
  const std::string worker_ = worker_name();
  std::vector<Slot> slots_;
  FirstFailures failures_;
  RunnerResult result_;
  bool is_stopping_ = false;
  std::exception_ptr broken_;  // why no trial can be begun any more
  Clock::time_point stop_at_ = Clock::time_point::max();
  Clock::time_point ask_at_ = Clock::now(), look_for_lost_at_ = ask_at_, show_at_ = ask_at_;
};

}  // namespace

RunnerResult run_trials(Study& study, const RunnerOptions& options,
                        const std::function<void(const std::vector<SlotState>&)>& watch) {
  if (options.jobs < 1) throw Error(ErrorCode::kUsage, "jobs must be 1 or more, got ", options.jobs);
  if (!(options.lease_seconds > 0))
    throw Error(ErrorCode::kUsage, "a lease must last longer than 0 seconds, got ", options.lease_seconds);
  const Sweep& sweep = study.sweep();
  if (sweep.command.empty() && sweep.shell_command.empty() && sweep.base.empty())
    throw Error(ErrorCode::kUsage, "the sweep says nothing of what a trial runs: it needs command, program or base");
  check_training_sweep(sweep);
  return Runner(study, options, watch).run();
}

}  // namespace trireme::tune
