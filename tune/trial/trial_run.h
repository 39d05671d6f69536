#pragma once
#include <poll.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tune/store/trial.h"
#include "tune/sweep/sweep.h"
#include "tune/trial/clearance.h"
#include "tune/trial/clock.h"
#include "tune/trial/command_process.h"
#include "tune/trial/metric_records.h"
#include "tune/trial/output_log.h"
#include "tune/trial/training_job.h"
#include "tune/trial/verdict.h"

namespace trireme::tune {

/// What all trials of a runner have in common.
struct RunContext {
  const Sweep& sweep;
  TrainingPrograms programs;     ///< of sweeps with `base`
  std::string study;             ///< study_token()
  std::string location;          ///< of the study, for the command
  std::filesystem::path folder;  ///< that commands run in
  double grace_seconds = 10;     ///< from SIGTERM to SIGKILL
  double saving_seconds = 120;   ///< the same for a training job, which saves
};

/// One attempt of a trial, from the moment that it was handed out until nothing of it is left: ends what earlier
/// attempts left behind, runs the command, takes its output, ends what it leaves behind, and judges. Never waits:
/// advance() goes on as far as it can at once.
///
/// In the folder: params.json, stdout.log and stderr.log of all attempts, restarts.json, and what the command puts
/// there.
class TrialRun {
 public:
  /// @param folder    of the trial, absolute
  /// @param start_by  the command is not started behind it: the lease may be another's by then
  TrialRun(const RunContext& context, Trial trial, std::filesystem::path folder, std::vector<int> cores,
           Clock::time_point start_by);

  /// The lease was renewed.
  void extend(Clock::time_point start_by) { start_by_ = start_by; }
  /// @returns whether it has come to another stage: the command was started, or all is over
  /// @throws Error kIo: the folder cannot be written to
  bool advance();
  /// Ends the command for a reason; the first one counts, but for kTakenOver, which does not wait for anything. A
  /// command that has ended by then keeps the result that it has.
  void interrupt(Interruption why);
  /// The status of a child of this process. @returns whether it was this command
  bool take_status(pid_t process, int status);

  /// Set once all is over.
  const std::optional<Verdict>& verdict() const { return verdict_; }
  const Trial& trial() const { return trial_; }
  /// Since the command was started, or this was made.
  double seconds() const;
  std::string last_line() const;

  /// What poll(2) should look at, and the time by which advance() is to be called in any case.
  void watch(std::vector<pollfd>& descriptors) const;
  Clock::time_point next() const;

 private:
  void give_up();
  void start();
  void prepare_folder();
  void forget_failure() const;
  void write_parameters() const;
  CommandProcess::Start command() const;
  void keep_time();
  void take_output();
  void conclude();
  std::string why_no_result(const MetricRecords& recorded) const;
  bool is_training() const { return !context_.sweep.base.empty(); }

  const RunContext& context_;
  Trial trial_;
  std::filesystem::path folder_;
  std::vector<int> cores_;
  Clock::time_point started_ = Clock::now(), start_by_, kill_at_ = Clock::time_point::max();
  Interruption interruption_ = Interruption::kNone;
  std::optional<Clearance> clearance_;  // before the command, or behind it
  std::unique_ptr<CommandProcess> process_;
  std::optional<OutputLog> stdout_, stderr_;
  bool spoke_last_on_stderr_ = false;
  MetricRecords printed_;
  std::optional<Verdict> verdict_;
};

}  // namespace trireme::tune
