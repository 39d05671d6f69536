#include "tune/trial/runner.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <set>
#include <sstream>

#include "core/base/stop.h"
#include "tune/store/study_testing.h"
#include "tune/trial/process_testing.h"

namespace trireme::tune {
namespace {

using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::StartsWith;

/// A study in a folder, whose trials run a script; each trial has the parameter `x`, which is its number.
class RunTrials : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }
  std::string location() const { return path("study.db"); }

  /// @param script  of /bin/sh; $x is the parameter, $here the folder
  Study make_study(int trials, const std::string& script, const std::string& keys = "") {
    std::ofstream(path("script")) << "here=" << folder_.path().string() << "\nx=${1#--x=}\n" << script << "\n";
    return make_sweep(trials, keys + "command: [/bin/sh, " + path("script") + ", \"${args}\"]\n");
  }
  Study make_sweep(int trials, const std::string& keys) {
    std::string values;
    for (int x = 0; x < trials; ++x) values += (x > 0 ? ", " : "") + std::to_string(x);
    return Study::create(location(), "method: grid\nmetric: loss\nparameters: {x: {values: [" + values + "]}}\n" + keys,
                         path("sweep.yaml"));
  }
  RunnerResult run(Study& study, std::int64_t jobs = 1) {
    return run_trials(study, options(jobs), [&](const std::vector<SlotState>& states) { watched_.push_back(states); });
  }
  static RunnerOptions options(std::int64_t jobs) { return {.jobs = jobs, .grace_seconds = 0.5, .saving_seconds = 5}; }

  /// A runner of its own process.
  pid_t start_runner(RunnerOptions options = RunTrials::options(1)) const {
    return in_child([this, options] {
      install_stop_signals();
      Study study = Study::open(location());
      run_trials(study, options, [](const std::vector<SlotState>&) {});
    });
  }
  bool appears(const std::string& name) const {
    return becomes_true([&] { return ::access(path(name).c_str(), F_OK) == 0; });
  }
  Trial trial(std::int64_t number) const {
    return StudyStore::open(location()).trials().at(static_cast<std::size_t>(number));
  }

  const StudyFolder folder_;
  std::vector<std::vector<SlotState>> watched_;
};

TEST_F(RunTrials, EachTrialHasTheResultOfItsCommand) {
  Study study = make_study(4, "echo noise; echo \"{\\\"loss\\\": 9}\"; echo \"{\\\"loss\\\": $x}\"; echo noise >&2");
  const RunnerResult result = run(study, 2);
  EXPECT_TRUE(result.finished);
  EXPECT_FALSE(result.timed_out);
  EXPECT_EQ(result.ended, 4);
  for (const Trial& trial : study.trials()) {
    EXPECT_EQ(trial.state, TrialState::kComplete) << trial.reason;
    EXPECT_THAT(trial.values, ElementsAre(static_cast<double>(trial.number)));
    EXPECT_EQ(trial.attempt, 1);
  }
  EXPECT_THAT(watched_, Contains(Contains(Field(&SlotState::trial, 3))));
  EXPECT_THAT(watched_.back(), Each(Field(&SlotState::trial, -1)));
}

// A trial ends once the one two numbers later has begun: with three slots that needs each of them at any time.
TEST_F(RunTrials, NoSlotIsIdleWhileATrialMayRun) {
  Study study = make_study(12,
                           "touch $here/began-$x; next=$((x + 2)); [ $next -lt 12 ] || next=11\n"
                           "while [ ! -e $here/began-$next ]; do sleep 0.01; done; echo '{\"loss\": 1}'",
                           "trial_timeout: 60\n");
  run(study, 3);
  EXPECT_THAT(study.trials(), Each(Field(&Trial::state, TrialState::kComplete)));
}

TEST_F(RunTrials, TheFolderHasParametersAndOutputOfAllAttempts) {
  Study study = make_study(1,
                           "echo $TRIREME_TUNE_STUDY $TRIREME_TUNE_TRIAL $TRIREME_TUNE_ATTEMPT $TRIREME_TUNE_RUN\n"
                           "echo complaint >&2\n"
                           "[ -e $here/was-here ] || { touch $here/was-here; kill -9 $$; }; echo '{\"loss\": 1}'");
  run(study);
  const std::string run = path("study.db.runs/000000");
  std::istringstream out(file_text(run + "/stdout.log"));
  std::vector<std::string> lines;
  for (std::string line; std::getline(out, line);) lines.push_back(line);
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_THAT(lines[0], StartsWith("--- trial 0, attempt 1, 20"));
  EXPECT_EQ(lines[1], location() + " 0 1 " + run);
  EXPECT_THAT(lines[2], StartsWith("--- trial 0, attempt 2, 20"));
  EXPECT_EQ(lines[3], location() + " 0 2 " + run);
  EXPECT_THAT(file_text(run + "/stderr.log"), HasSubstr("complaint"));
  EXPECT_EQ(file_text(run + "/params.json"), "{\n  \"x\": 0\n}\n");
}

TEST_F(RunTrials, AKilledCommandIsStartedAgainSoManyTimes) {
  Study study = make_study(2,
                           "[ $x = 0 ] && [ -e $here/twice ] && echo '{\"loss\": 1}' && exit\n"
                           "[ -e $here/once ] && touch $here/twice; touch $here/once; kill -9 $$",
                           "retries: 2\n");
  run(study);
  EXPECT_EQ(study.trials()[0].state, TrialState::kComplete);
  EXPECT_EQ(study.trials()[0].attempt, 3);
  EXPECT_EQ(study.trials()[1].state, TrialState::kFailed);
  EXPECT_EQ(study.trials()[1].attempt, 3);
  EXPECT_EQ(study.trials()[1].reason, "killed by signal 9 (Killed), after it was started again 2 times");
}

TEST_F(RunTrials, Status75IsGoneOnWith) {
  Study study = make_study(1, "echo >>$here/starts; [ $(wc -l <$here/starts) -lt 5 ] && exit 75; echo '{\"loss\": 1}'",
                           "retries: 0\n");
  run(study);
  EXPECT_EQ(study.trials()[0].state, TrialState::kComplete);
  EXPECT_EQ(study.trials()[0].attempt, 5);
}

TEST_F(RunTrials, AFailureComesWithItsReason) {
  Study study = make_study(4,
                           "case $x in 0) echo boom >&2; exit 3;; 1) echo '{\"los\": 2, \"step\": 1}';;\n"
                           "2) echo '{\"loss\": NaN}';; 3) ;; esac");
  EXPECT_TRUE(run(study).finished);
  const auto& trials = study.trials();
  EXPECT_THAT(trials, Each(Field(&Trial::state, TrialState::kFailed)));
  EXPECT_EQ(trials[0].reason, "exit status 3: boom");
  EXPECT_EQ(trials[1].reason, "no record with a number for loss; did you mean los?; the last one has los, step");
  EXPECT_THAT(trials[2].reason, HasSubstr("loss is nan"));
  EXPECT_THAT(trials[3].reason, HasSubstr("no line that is a JSON object"));
}

TEST_F(RunTrials, AResultMayBeInTheFolderInstead) {
  Study study = make_study(1, "echo '{\"step\": 1}'; echo '{\"loss\": 4}' >$TRIREME_TUNE_RUN/metrics.jsonl");
  run(study);
  EXPECT_THAT(study.trials()[0].values, ElementsAre(4));
}

TEST_F(RunTrials, ATrialThatTakesTooLongIsEnded) {
  Study study = make_study(2,
                           "[ $x = 1 ] && trap '' TERM; echo $$ >$here/process-$x\n"
                           "while :; do sleep 0.01; done",
                           "trial_timeout: 0.5\n");
  EXPECT_TRUE(run(study, 2).finished);
  for (const Trial& trial : study.trials()) {
    EXPECT_EQ(trial.state, TrialState::kFailed);
    EXPECT_THAT(trial.reason, StartsWith("timed out after"));
    EXPECT_FALSE(is_running(process_in(path("process-" + std::to_string(trial.number)))));
  }
}

TEST_F(RunTrials, ASweepWhoseCommandIsNotThereEndsBehindFiveTrials) {
  Study study = make_sweep(50, "command: [trian, \"${args}\"]\n");
  EXPECT_THAT([&] { run(study); }, throws_error(ErrorCode::kBadInput, "cannot start 'trian': No such file"));
  EXPECT_EQ(study.trials().size(), 5u);
  EXPECT_THAT(study.trials(), Each(Field(&Trial::state, TrialState::kFailed)));
}

TEST_F(RunTrials, ASweepWithNothingToRunIsRefused) {
  Study study = make_sweep(2, "");
  EXPECT_THAT([&] { run(study); }, throws_error(ErrorCode::kUsage, "command, program or base"));
}

TEST_F(RunTrials, NothingOfACommandIsLeftBehindIt) {
  Study study = make_study(1,
                           "setsid sh -c 'echo $$ >'$here'/process.new; exec sleep 60' & \n"
                           "while [ ! -s $here/process.new ]; do sleep 0.01; done; mv $here/process.new $here/process\n"
                           "echo '{\"loss\": 1}'");
  run(study);
  EXPECT_EQ(study.trials()[0].state, TrialState::kComplete);
  EXPECT_FALSE(is_running(process_in(path("process"))));
}

TEST_F(RunTrials, AStopGivesTrialsBackAndResumingGoesOn) {
  Study study = make_study(3,
                           "echo $$ >$here/process-$x; [ -e $here/go ] || while :; do sleep 0.01; done\n"
                           "echo '{\"loss\": 1}'");
  const pid_t runner = start_runner(options(2));
  ASSERT_TRUE(appears("process-0") && appears("process-1"));
  ::kill(runner, SIGTERM);
  EXPECT_EQ(status_of(runner), 0);
  for (const int x : {0, 1}) {
    EXPECT_FALSE(is_running(process_in(path("process-" + std::to_string(x)))));
    EXPECT_EQ(trial(x).state, TrialState::kWaiting);
    EXPECT_EQ(trial(x).reason, "stopped");
  }
  EXPECT_EQ(study.trials().size(), 2u);
  std::ofstream(path("go")) << "";
  EXPECT_TRUE(run(study).finished);
  EXPECT_EQ(trial(0).attempt, 2);
  EXPECT_EQ(trial(2).attempt, 1);
}

TEST_F(RunTrials, ACommandThatHadEndedBeforeTheStopKeepsItsResult) {
  std::ofstream(path("helper"))
      << "trap 'touch $1/asked' TERM; touch $1/ready; while [ ! -e $1/go ]; do sleep 0.01; done\n";
  Study study = make_study(2,
                           "setsid sh $here/helper $here &\n"
                           "while [ ! -e $here/ready ]; do sleep 0.01; done; echo '{\"loss\": 1}'");
  const pid_t runner = start_runner({.grace_seconds = 60});
  ASSERT_TRUE(appears("asked"));  // the command has ended, what it left is being ended
  ::kill(runner, SIGTERM);
  std::ofstream(path("go")) << "";
  EXPECT_EQ(status_of(runner), 0);
  ASSERT_EQ(study.trials().size(), 1u);
  EXPECT_EQ(trial(0).state, TrialState::kComplete);
}

TEST_F(RunTrials, ASecondStopWaitsForNothing) {
  Study study = make_study(1, "trap 'touch $here/asked' TERM; echo $$ >$here/process-$x; while :; do sleep 0.01; done");
  const pid_t runner = start_runner({.grace_seconds = 60});
  ASSERT_TRUE(appears("process-0"));
  ::kill(runner, SIGINT);
  ASSERT_TRUE(appears("asked"));
  ::kill(runner, SIGINT);
  EXPECT_EQ(WEXITSTATUS(status_of(runner)), 128 + SIGINT);
  EXPECT_TRUE(becomes_true([&] { return !is_running(process_in(path("process-0"))); }));
}

TEST_F(RunTrials, TheSweepsTimeoutIsAStop) {
  Study study = make_study(2, "while :; do sleep 0.01; done", "timeout: 0.3\n");
  const RunnerResult result = run(study);
  EXPECT_FALSE(result.finished);
  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(study.trials()[0].state, TrialState::kWaiting);
}

// Attempt 1 leaves the session and lives on without its runner; attempt 2 tells whether it still does.
TEST_F(RunTrials, WhatAKilledRunnerLeftRunningEndsBeforeItsTrialGoesOn) {
  Study study = make_study(1,
                           "if [ -e $here/process ]; then\n"
                           "grep -q MARK /proc/$(cat $here/process)/environ && alive=1 || alive=0\n"
                           "echo \"{\\\"loss\\\": $alive}\"; exit; fi\n"
                           "setsid sh -c 'trap \"\" TERM; echo $$ >'$here'/new; mv '$here'/new '$here'/process\n"
                           "while :; do sleep 0.01; done' & wait",
                           "timeout: 20\n");
  RunnerOptions long_lease = options(1);
  long_lease.lease_seconds = 3600;
  const pid_t runner = start_runner(long_lease);
  ASSERT_TRUE(appears("process"));
  ::kill(runner, SIGKILL);
  status_of(runner);
  ASSERT_TRUE(is_running(process_in(path("process"))));
  EXPECT_TRUE(run(study).finished);
  EXPECT_EQ(trial(0).attempt, 2);
  EXPECT_THAT(trial(0).values, ElementsAre(0));
}

TEST_F(RunTrials, ARunnerThatWasStoppedForTooLongGivesItsTrialUp) {
  Study study = make_study(1,
                           "echo $$ >$here/process-$(ls $here | grep -c process)\n"
                           "[ -e $here/process-1 ] && echo '{\"loss\": 2}' && exit\n"
                           "while :; do sleep 0.01; done; echo '{\"loss\": 1}'");
  RunnerOptions brief = options(1);
  brief.lease_seconds = 0.4;
  const pid_t runner = start_runner(brief);
  ASSERT_TRUE(appears("process-0"));
  ::kill(runner, SIGSTOP);
  EXPECT_TRUE(run(study).finished);
  EXPECT_FALSE(is_running(process_in(path("process-0"))));
  ::kill(runner, SIGCONT);
  EXPECT_EQ(status_of(runner), 0);
  EXPECT_EQ(trial(0).attempt, 2);
  EXPECT_THAT(trial(0).values, ElementsAre(2));
}

TEST_F(RunTrials, ATrialWhoseResultWasToldByHandIsEnded) {
  Study study = make_study(1, "echo $$ >$here/new; mv $here/new $here/process; while :; do sleep 0.01; done");
  RunnerOptions brief = options(1);
  brief.lease_seconds = 0.3;
  const pid_t runner = start_runner(brief);
  ASSERT_TRUE(appears("process"));
  study.tell(0, std::nullopt, {5});
  EXPECT_EQ(status_of(runner), 0);
  EXPECT_FALSE(is_running(process_in(path("process"))));
  EXPECT_THAT(trial(0).values, ElementsAre(5));
}

TEST_F(RunTrials, SeveralRunnersShareAStudy) {
  Study study = make_study(12, "echo $x >>$here/ran; sleep 0.05; echo \"{\\\"loss\\\": $x}\"");
  const pid_t one = start_runner(options(2)), two = start_runner();
  EXPECT_EQ(status_of(one), 0);
  EXPECT_EQ(status_of(two), 0);
  std::multiset<int> ran, all;
  std::istringstream numbers(file_text(path("ran")));
  for (int x = 0; numbers >> x;) ran.insert(x);
  for (int x = 0; x < 12; ++x) all.insert(x);
  EXPECT_EQ(ran, all);
  EXPECT_THAT(study.trials(), Each(Field(&Trial::state, TrialState::kComplete)));
}

TEST_F(RunTrials, TrialsThatWereAskedForByHandAreLeftAlone) {
  Study study = make_study(2, "echo '{\"loss\": 1}'", "timeout: 0.5\n");
  const pid_t asking = in_child([&] { Study::open(location()).ask("by hand", 0); });
  ASSERT_EQ(status_of(asking), 0);
  EXPECT_FALSE(run(study).finished) << "it waits for the other one";
  EXPECT_EQ(trial(0).state, TrialState::kRunning);
  EXPECT_EQ(trial(1).state, TrialState::kComplete);
}

TEST_F(RunTrials, WhereATrialsFolderCannotBeMadeNoneIsBegunAndOthersComeToTheirEnd) {
  // Trial 1 puts something in the way of trial 2 and ends while trial 0 is at work.
  Study study = make_study(4,
                           "if [ $x = 1 ]; then touch $here/study.db.runs/000002; else sleep 1; fi\n"
                           "echo '{\"loss\": 1}'");
  EXPECT_THAT([&] { run(study, 2); }, throws_error(ErrorCode::kIo, "000002"));
  EXPECT_EQ(trial(0).state, TrialState::kComplete) << trial(0).reason;
  EXPECT_EQ(trial(1).state, TrialState::kComplete);
  EXPECT_EQ(trial(2).state, TrialState::kWaiting);
  EXPECT_EQ(study.trials().size(), 3u);
  std::filesystem::remove(path("study.db.runs/000002"));
  EXPECT_TRUE(run(study, 2).finished);
}

TEST_F(RunTrials, WhereTheirFolderIsGoneNoTrialFails) {
  std::filesystem::create_directory(path("first"));
  Study study = make_study(4, "rm -rf $here/first; echo '{\"loss\": 1}'");
  const int status = status_of(in_child([&] {
    std::filesystem::current_path(path("first"));
    Study own = Study::open(location());
    EXPECT_THAT([&] { run_trials(own, options(1), [](const auto&) {}); },
                throws_error(ErrorCode::kIo, "no command can be started in " + path("first")));
    if (HasFailure()) throw std::runtime_error("another end");
  }));
  EXPECT_EQ(status, 0);
  EXPECT_EQ(trial(0).state, TrialState::kComplete);
  EXPECT_EQ(trial(1).state, TrialState::kWaiting);
}

TEST_F(RunTrials, WhatAFailedAttemptLeftDoesNotCountForTheNext) {
  Study study = make_study(1,
                           "[ -e $here/again ] && exit; touch $here/again\n"
                           "echo '{\"loss\": 7}' >$TRIREME_TUNE_RUN/metrics.jsonl; exit 3");
  run(study);
  study.store().retry(0);
  run(study);
  EXPECT_EQ(trial(0).state, TrialState::kFailed);
  EXPECT_EQ(trial(0).attempt, 2);
  EXPECT_EQ(file_text(path("study.db.runs/000000/metrics-of-failed-attempts.jsonl")), "{\"loss\": 7}\n");
}

TEST_F(RunTrials, ATrialThatIsRetriedMayBeKilledAsOftenAsBefore) {
  Study study = make_study(1, "kill -9 $$", "retries: 1\n");
  run(study);
  EXPECT_EQ(trial(0).attempt, 2);
  study.store().retry(0);
  run(study);
  EXPECT_EQ(trial(0).attempt, 4);
}

TEST_F(RunTrials, NoTrialIsLostWhereTheRunsFolderCannotBeMade) {
  Study study = make_study(2, "echo '{\"loss\": 1}'");
  std::ofstream(path("study.db.runs")) << "in the way";
  EXPECT_THAT([&] { run(study); }, throws_error(ErrorCode::kIo, "study.db.runs"));
  std::filesystem::remove(path("study.db.runs"));
  EXPECT_TRUE(run(study).finished);
}

TEST_F(RunTrials, ANewStudyDoesNotTakeTheRunsOfAnother) {
  {
    Study study = make_study(1, "echo '{\"loss\": 1}' >$TRIREME_TUNE_RUN/metrics.jsonl");
    run(study);
  }
  std::filesystem::remove(location());
  Study study = make_study(1, "true");
  EXPECT_THAT([&] { run(study); }, throws_error(ErrorCode::kUsage, "study.db.runs holds runs of another study"));
  EXPECT_EQ(study.trials().size(), 0u);
  std::filesystem::rename(path("study.db.runs"), path("old"));
  run(study);
  EXPECT_EQ(trial(0).state, TrialState::kFailed);
}

TEST_F(RunTrials, CommandsRunWhereTheStudyBegan) {
  Study study = make_study(2,
                           "pwd >>$here/folders; [ -e $here/once ] || { touch $here/once; kill -9 $PPID; }\n"
                           "echo '{\"loss\": 1}'");
  for (const char* folder : {"first", "second"}) {
    std::filesystem::create_directory(path(folder));
    status_of(in_child([&] {
      std::filesystem::current_path(path(folder));
      Study again = Study::open(location());
      run_trials(again, options(1), [](const auto&) {});
    }));
  }
  EXPECT_EQ(trial(1).state, TrialState::kComplete);
  const std::string first = path("first") + "\n";
  EXPECT_EQ(file_text(path("folders")), first + first + first);
  std::filesystem::remove_all(path("first"));
  EXPECT_THAT([&] { run(study); }, throws_error(ErrorCode::kUsage, path("first") + ", where it began"));
}

TEST_F(RunTrials, ATrainingConfigDoesNotChangeOnTheWay) {
  std::ofstream(path("train.yaml")) << "steps: 5\n";
  Study study = Study::create(location(),
                              "method: grid\nmetric: eval_loss\nbase: train.yaml\n"
                              "parameters: {model.layers: {values: [3]}}\n",
                              path("sweep.yaml"));
  RunnerOptions options = RunTrials::options(1);
  options.trainer = "/bin/false";
  const auto go = [&] { run_trials(study, options, [](const auto&) {}); };
  go();
  std::ofstream(path("train.yaml")) << "steps: 6\n";
  EXPECT_THAT(go, throws_error(ErrorCode::kUsage, "train.yaml is not what it was when the study began"));
  std::ofstream(path("train.yaml")) << "steps: 5\n";
  go();
}

// The trainer is a script that goes on from what it finds in its run, as trireme-train does.
TEST_F(RunTrials, ATrainingJobGoesOnInItsRun) {
  std::ofstream(path("train.yaml")) << "steps: 5\n";
  std::ofstream(path("trainer"))
      << "#!/bin/sh\n[ \"$1 $3 $5 $6\" = '--config --run --threads 2' ] || exit 2\n"
         "echo \"$7 $OMP_NUM_THREADS\" >>$4/starts\n"
         "[ $(wc -l <$4/starts) = 1 ] && kill -9 $$\n"
         "echo '{\"eval_loss\": 2.5}' >>$4/metrics.jsonl; echo '{\"step\": 5}' >>$4/metrics.jsonl\n"
         "echo '{\"eval_loss\": 7}'\n";
  ::chmod(path("trainer").c_str(), 0755);
  Study study = Study::create(location(),
                              "method: grid\nmetric: eval_loss\nbase: train.yaml\nthreads: 2\n"
                              "parameters: {model.layers: {values: [3]}}\n",
                              path("sweep.yaml"));
  RunnerOptions options = RunTrials::options(1);
  options.trainer = path("trainer");
  EXPECT_TRUE(run_trials(study, options, [](const auto&) {}).finished);
  EXPECT_THAT(trial(0).values, ElementsAre(2.5)) << trial(0).reason;
  EXPECT_EQ(file_text(path("study.db.runs/000000/starts")), "--model.layers=3 2\n--model.layers=3 2\n");
}

}  // namespace
}  // namespace trireme::tune
