#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tune/study/study.h"

namespace trireme::tune {

/// How a sweep's trials are run on this machine.
struct RunnerOptions {
  std::int64_t jobs = 1;        ///< slots: trials at a time; the cores that we may use are split among them
  double lease_seconds = 30;    ///< a trial whose runner was not heard of for so long is taken by another
  std::string launcher;         ///< of training jobs; empty: found by TrainingPrograms::find
  std::string trainer;          ///< likewise: trireme-train
  double grace_seconds = 10;    ///< a command that is to end gets SIGTERM, and behind so much SIGKILL
  double saving_seconds = 120;  ///< the same for a training job on a stop: it saves
};

/// What came of it.
struct RunnerResult {
  bool finished = false;   ///< the sweep is; else it was stopped, or its time was up
  bool timed_out = false;  ///< the sweep's timeout, counted from this start
  std::int64_t ended = 0;  ///< trials that ended here
};

/// What a slot is doing, for a table.
struct SlotState {
  std::int64_t trial = -1;  ///< -1: idle
  double seconds = 0;       ///< since its command was started
  std::string last_line;    ///< of its output
};

/// Runs trials of a study as commands, some at a time, until the study is finished or a stop is asked for
/// (core/base/stop.h: SIGINT, SIGTERM). A stop ends the commands (SIGTERM to a training job, which saves; SIGTERM, then
/// SIGKILL to others), gives their trials back and returns: resuming goes on with them.
///
/// Any number of runners may work on one study. A trial has one command at a time: whoever goes on with one first ends
/// what earlier attempts left running on this host (Mark), and a runner that was stopped for longer than its lease
/// gives a trial up that was taken from it. Trials of runners of this host that are gone are taken at once, others when
/// their lease runs out. A trial's result is its last metric record (MetricRecords) on stdout, or else in metrics.jsonl
/// in its folder; for a training job it is the latter's. What becomes of a trial without one is Verdict's.
///
/// A command finds TRIREME_TUNE_STUDY (location), TRIREME_TUNE_TRIAL and TRIREME_TUNE_ATTEMPT (numbers) and
/// TRIREME_TUNE_RUN (folder) in its environment.
///
/// It waits for every child of this process, whoever started it, and for those that descendants leave behind
/// (PR_SET_CHILD_SUBREAPER).
///
/// @param watch  called every time that something changed and at least once a second
/// @throws Error as claim_runs_folder; kIo when a trial's folder cannot be written to: those that ran before have come
/// to their end; what the store throws, and kBadInput when the first trials fail the same way, so that thousands would:
/// then the commands have been ended and their trials, as far as the store lets us, given back
RunnerResult run_trials(Study& study, const RunnerOptions& options,
                        const std::function<void(const std::vector<SlotState>&)>& watch);

}  // namespace trireme::tune
