#include "tune/trial/trial_run.h"

#include <signal.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <iomanip>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/text.h"
#include "tune/sweep/command.h"

namespace trireme::tune {
namespace {

// For what writes on behind the command's end: a `tee`, a process substitution of a shell.
constexpr double kPatienceSeconds = 0.25;
constexpr std::size_t kLastLine = 200;
constexpr std::size_t kErrorLine = 500;

std::string header(const Trial& trial) {
  const std::time_t now = std::time(nullptr);
  std::tm time{};
  ::gmtime_r(&now, &time);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &time);
  return "--- trial " + std::to_string(trial.number) + ", attempt " + std::to_string(trial.attempt) + ", " + text;
}

void make_folder_and_parents(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw Error(ErrorCode::kIo, "cannot make the folder ", folder.string(), ": ", error.message());
}

}  // namespace

TrialRun::TrialRun(const RunContext& context, Trial trial, std::filesystem::path folder, std::vector<int> cores,
                   Clock::time_point start_by)
    : context_(context),
      trial_(std::move(trial)),
      folder_(std::move(folder)),
      cores_(std::move(cores)),
      start_by_(start_by),
      printed_(context.sweep.objectives) {
  if (trial_.attempt > 1)
    clearance_.emplace(Mark{context_.study, trial_.number, trial_.attempt - 1},
                       Clearance::Times{.grace_seconds = context_.grace_seconds});
}

bool TrialRun::advance() {
  if (verdict_) return false;
  if (!process_ && interruption_ != Interruption::kNone) return give_up(), true;
  if (process_) take_output();
  if (clearance_ && !clearance_->advance()) return false;
  if (!process_) return start(), true;
  if (clearance_) return conclude(), true;
  keep_time();
  return false;
}

void TrialRun::give_up() {
  if (interruption_ == Interruption::kStop)
    verdict_ = Verdict{.kind = Verdict::Kind::kAgain, .reason = "stopped"};
  else
    verdict_ = Verdict{};
}

void TrialRun::start() {
  clearance_.reset();
  prepare_folder();
  started_ = Clock::now();
  try {
    process_ = std::make_unique<CommandProcess>(command());
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kIo) throw;
    verdict_ = error.code() == ErrorCode::kTakenOver ? Verdict{} : not_started(error.what());
    return;
  }
  stdout_->follow(process_->take_stdout());
  stderr_->follow(process_->take_stderr());
}

void TrialRun::keep_time() {
  const double limit = context_.sweep.trial_timeout_seconds;
  if (limit > 0 && seconds() >= limit) interrupt(Interruption::kTimeout);
  if (Clock::now() < kill_at_) return;
  process_->signal(SIGKILL);
  kill_at_ = Clock::time_point::max();
}

void TrialRun::prepare_folder() {
  make_folder_and_parents(folder_);
  if (trial_.reason == kRetried) forget_failure();
  write_parameters();
  stdout_.emplace(folder_ / "stdout.log", header(trial_));
  stderr_.emplace(folder_ / "stderr.log", header(trial_));
}

// What a failed attempt left would count for this one. A training job goes on from its checkpoints, records and all.
void TrialRun::forget_failure() const {
  std::error_code error;
  Restarts::forget(folder_);
  if (!is_training())
    std::filesystem::rename(folder_ / "metrics.jsonl", folder_ / "metrics-of-failed-attempts.jsonl", error);
}

// Not synced: the study has them, this is for people and for commands.
void TrialRun::write_parameters() const {
  const auto path = folder_ / "params.json";
  std::ofstream file(path);
  file << std::setw(2) << parameters_json(trial_.parameters) << "\n";
  if (!file.flush()) throw Error(ErrorCode::kIo, "cannot write ", path.string());
}

CommandProcess::Start TrialRun::command() const {
  const Sweep& sweep = context_.sweep;
  const CommandContext filled{trial_.number, trial_.parameters, folder_.string()};
  CommandProcess::Start start;
  start.words =
      is_training() ? training_command(sweep, context_.programs, filled, cores_.size()) : expand_command(sweep, filled);
  start.environment = {{"TRIREME_TUNE_STUDY", context_.location},
                       {"TRIREME_TUNE_TRIAL", std::to_string(trial_.number)},
                       {"TRIREME_TUNE_ATTEMPT", std::to_string(trial_.attempt)},
                       {"TRIREME_TUNE_RUN", folder_.string()},
                       {Mark::kVariable, Mark{context_.study, trial_.number, trial_.attempt}.text()}};
  if (is_training()) start.environment.emplace_back("OMP_NUM_THREADS", std::to_string(sweep.threads));
  start.folder = context_.folder;
  start.cores = cores_;
  start.deadline = start_by_;
  return start;
}

void TrialRun::interrupt(Interruption why) {
  const bool at_once = why == Interruption::kTakenOver;
  const bool has_ended = process_ && process_->status();
  if ((interruption_ != Interruption::kNone || has_ended) && !at_once) return;
  interruption_ = why;
  if (clearance_ && at_once) clearance_->hurry();
  if (!process_ || has_ended) return;
  // The command alone, and not what it started: a launcher passes a stop on to its ranks, for which a second one would
  // mean "at once".
  process_->signal(at_once ? SIGKILL : SIGTERM);
  const bool saves = is_training() && why == Interruption::kStop;
  kill_at_ = Clock::now() + clock_seconds(saves ? context_.saving_seconds : context_.grace_seconds);
}

bool TrialRun::take_status(pid_t process, int status) {
  if (!process_ || process_->status() || process_->pid() != process) return false;
  process_->note_status(status);
  const bool at_once = interruption_ == Interruption::kTakenOver;
  clearance_.emplace(Mark{context_.study, trial_.number, trial_.attempt},
                     Clearance::Times{at_once ? 0 : kPatienceSeconds, at_once ? 0 : context_.grace_seconds});
  return true;
}

void TrialRun::take_output() {
  const bool printed = stdout_->take([&](std::string_view bytes) { printed_.read(bytes); });
  const bool complained = stderr_->take([](std::string_view) {});
  if (printed || complained) spoke_last_on_stderr_ = complained;
}

void TrialRun::conclude() {
  take_output();  // nobody writes any more, and a pipe holds less than that takes
  printed_.end();
  Ending ending{
      .status = *process_->status(), .interruption = interruption_, .last_error_line = stderr_->last_line(kErrorLine)};
  MetricRecords recorded(context_.sweep.objectives);
  const bool is_printed = !is_training() && printed_.has_record();
  if (!is_printed) recorded.read_file(folder_ / "metrics.jsonl");
  const MetricRecords& records = is_printed ? printed_ : recorded;
  ending.values = records.values();
  ending.has_record = records.has_record();
  if (!ending.values) ending.missing = why_no_result(recorded);
  const Restarts before = Restarts::read(folder_);
  Restarts restarts = before;
  verdict_ = judge(ending, context_.sweep, restarts);
  if (restarts != before) restarts.write(folder_);
}

std::string TrialRun::why_no_result(const MetricRecords& recorded) const {
  for (const std::string& reason : {printed_.missing(), recorded.missing()})
    if (!reason.empty()) return reason;
  std::vector<std::string> names;
  for (const Objective& objective : context_.sweep.objectives) names.push_back(objective.name);
  return "no record with a number for " + join(names, ", ") +
         (is_training() ? ": metrics.jsonl has none"
                        : ": the program printed no line that is a JSON object, and wrote none to metrics.jsonl");
}

double TrialRun::seconds() const { return std::chrono::duration<double>(Clock::now() - started_).count(); }

std::string TrialRun::last_line() const {
  if (!process_) return clearance_ ? "waits for what an earlier attempt left running" : "";
  return (spoke_last_on_stderr_ ? stderr_ : stdout_)->last_line(kLastLine);
}

void TrialRun::watch(std::vector<pollfd>& descriptors) const {
  if (!process_ || verdict_) return;
  for (const int file :
       {stdout_->descriptor(), stderr_->descriptor(), process_->status() ? -1 : process_->ended_descriptor()})
    if (file >= 0) descriptors.push_back({file, POLLIN, 0});
}

Clock::time_point TrialRun::next() const {
  if (verdict_ || (!process_ && (!clearance_ || interruption_ != Interruption::kNone))) return Clock::now();
  if (clearance_) return clearance_->next();
  const double limit = context_.sweep.trial_timeout_seconds;
  auto next = kill_at_;
  if (limit > 0 && interruption_ == Interruption::kNone) next = started_ + clock_seconds(limit);
  return next;
}

}  // namespace trireme::tune
