#include "tune/study/study.h"

#include <sys/wait.h>

#include <cmath>
#include <fstream>
#include <limits>

#include "tune/search/search.h"
#include "tune/store/study_testing.h"

namespace trireme::tune {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr const char* kQuadratic = R"(
method: bayes
metric: loss
parameters:
  x: {min: -5.0, max: 5.0}
  layers: {min: 1, max: 8}
  kind: {values: [plain, steep]}
  slope: {min: 1.0e-3, max: 1.0, log: true, when: {kind: steep}}
constraints: [layers + x <= 10]
run_cap: 15
seed: 3
)";

double loss_of(const Parameters& parameters) {
  double loss = 0;
  for (const Parameter& parameter : parameters)
    if (const auto number = value_number(parameter.value)) loss += std::pow(*number - 1, 2);
  return loss;
}

// Every trial's parameters as text, exact.
std::vector<std::string> asked(Study& study) {
  std::vector<std::string> texts;
  for (const Trial& trial : study.trials()) {
    texts.emplace_back();
    for (const auto& [name, value] : trial.parameters) texts.back() += name + "=" + value_text(value) + " ";
  }
  return texts;
}

class StudyTest : public testing::Test {
 protected:
  std::string location(const std::string& name = "s.study") const { return (folder_.path() / name).string(); }
  Study create(const std::string& sweep) { return Study::create(location(), sweep, "sweep.yaml"); }
  Study open() { return Study::open(location()); }
  // One after the other, in one process: what all others have to repeat.
  std::vector<std::string> undisturbed() {
    Study study = Study::create(location("undisturbed"), kQuadratic, "sweep.yaml");
    while (const auto trial = study.ask("", 0)) study.tell(trial->number, {}, {loss_of(trial->parameters)});
    return asked(study);
  }

 private:
  const StudyFolder folder_;
};

TEST_F(StudyTest, HandsOutEnqueuedPointsFirst) {
  Study study = create(R"(
metric: loss
parameters: {x: {min: 0.0, max: 1.0}}
enqueue: [{x: 0.25}, {x: 1}]
)");
  EXPECT_EQ(value_text(study.ask("", 0)->parameters[0].value), "0.25");
  EXPECT_EQ(value_text(study.ask("", 0)->parameters[0].value), "1.0");
  EXPECT_EQ(study.ask("", 0)->number, 2);
}

TEST_F(StudyTest, TellsTheSearchWhatIsToBeMinimized) {
  Study study = create(R"(
metric: [{name: speed, goal: maximize}, {name: loss, goal: minimize}]
parameters: {x: {min: 0.0, max: 1.0}}
method: random
)");
  study.ask("", 0);
  study.tell(0, {}, {3, 4});
  EXPECT_THAT(study.trials()[0].values, ElementsAre(3, 4));
  EXPECT_THAT(study.history()[0].values, ElementsAre(-3, 4));
}

TEST_F(StudyTest, TellsTheSearchWhatBecameOfEachTrial) {
  Study study = create("{metric: loss, method: random, parameters: {x: {min: 0.0, max: 1.0}}}");
  for (int i = 0; i < 4; ++i) study.ask("", 0);
  study.tell(0, {}, {1});
  study.tell(1, {}, TrialState::kFailed, "crashed");
  study.tell(2, {}, TrialState::kInfeasible, "");
  std::vector<Outcome> outcomes;
  for (const Observation& observation : study.history()) outcomes.push_back(observation.outcome);
  EXPECT_THAT(outcomes, ElementsAre(Outcome::kDone, Outcome::kFailed, Outcome::kInfeasible, Outcome::kPending));
}

TEST_F(StudyTest, GivesThePointsThatTheSearchProposed) {
  Study study = create(kQuadratic);
  while (const auto trial = study.ask("", 0)) study.tell(trial->number, {}, {loss_of(trial->parameters)});
  const auto trials = study.trials();
  const History history = study.history();
  ASSERT_THAT(history, SizeIs(trials.size()));
  for (std::size_t i = 0; i < trials.size(); ++i)
    EXPECT_EQ(loss_of(study.sweep().space.parameters(history[i].point)), trials[i].values[0]);
}

TEST_F(StudyTest, GivesTheSearchItsNotesBack) {
  Study study = create("{metric: loss, method: cma-es, parameters: {x: {min: 0.0, max: 1.0}}}");
  study.ask("", 0);
  EXPECT_NE(study.trials()[0].note, "");
  EXPECT_EQ(study.history()[0].note, study.trials()[0].note);
}

TEST_F(StudyTest, SearchesByTheAcquisitionOfItsSweep) {
  const auto points_of = [this](const std::string& acquisition) {
    const std::string name = acquisition + ".study";
    Study::create(location(name),
                  "{metric: loss, seed: 1, acquisition: " + acquisition + ", parameters: {x: {min: 0.0, max: 1.0}}}",
                  "sweep.yaml");
    Study study = Study::open(location(name));
    for (int i = 0; i < 7; ++i) study.tell(study.ask("", 0)->number, {}, {static_cast<double>(i * i % 5)});
    study.ask("", 0);
    return asked(study);
  };
  const auto by_default = points_of("log-ei");
  for (const std::string acquisition : {"ucb", "thompson"}) {
    Search search(parse_sweep("{metric: loss, parameters: {x: {min: 0.0, max: 1.0}}}", "").space,
                  {"bayes", 1, 1, acquisition});
    std::vector<std::string> alone;
    for (int i = 0; i < 8; ++i) {
      const auto trial = search.ask();
      alone.push_back("x=" + value_text(trial->parameters[0].value) + " ");
      search.tell(trial->number, {static_cast<double>(i * i % 5)});
    }
    EXPECT_EQ(points_of(acquisition), alone);
    EXPECT_NE(alone, by_default);
  }
}

TEST_F(StudyTest, GoesOnWithOtherLimitsAndNothingElse) {
  const std::string search = "metric: loss\nparameters: {x: {min: 0.0, max: 1.0}}\n";
  Study study = create(search + "run_cap: 1\n");
  study.tell(study.ask("", 0)->number, {}, {1});
  EXPECT_TRUE(study.is_finished());
  const std::string more = "# more\n" + search + "n_trials: 2\nname: longer\n";
  EXPECT_THAT(study.take_limits(more, "sweep.yaml"), ElementsAre("run_cap", "n_trials", "name"));
  EXPECT_EQ(study.sweep().text, more);
  EXPECT_EQ(study.ask("", 0)->number, 1);
  EXPECT_EQ(open().sweep().trials, 2);
  EXPECT_THAT(
      [&] { study.take_limits(more + "seed: 4\nmethod: random\n", "sweep.yaml"); },
      throws_error(ErrorCode::kUsage, "is a study of another sweep than sweep.yaml is now, by its seed, method"));
  EXPECT_EQ(open().sweep().text, more);
}

TEST_F(StudyTest, LeavesOutTrialsThatAreNoPointOfTheSpace) {
  Study study = create("{metric: loss, parameters: {x: {min: 0.0, max: 1.0}}}");
  study.store().enqueue({{"y", std::int64_t{1}}});
  study.store().enqueue({{"x", 7.0}});
  study.ask("", 0), study.ask("", 0);
  EXPECT_EQ(study.ask("", 0)->number, 2);
  ASSERT_THAT(study.history(), SizeIs(1));
  EXPECT_EQ(study.history()[0].trial, 2);
}

TEST_F(StudyTest, SearchesTheSameWhenOpenedAnewForEachTrial) {
  create(kQuadratic);
  while (const auto trial = open().ask("", 0)) open().tell(trial->number, {}, {loss_of(trial->parameters)});
  Study study = open();
  EXPECT_EQ(asked(study), undisturbed());
}

TEST_F(StudyTest, SearchesTheSameWhenKilledBetweenAskAndTell) {
  create(kQuadratic);
  for (bool is_over = false; !is_over;) {
    const pid_t worker = in_child([&] {
      Study study = open();
      if (const auto trial = study.ask("", 1e-9)) {  // its lease is over when the next one asks
        if (trial->attempt == 1) ::kill(::getpid(), SIGKILL);
        study.tell(trial->number, trial->attempt, {loss_of(trial->parameters)});
        ::_exit(0);
      }
      ::_exit(3);
    });
    const int status = status_of(worker);
    is_over = WIFEXITED(status) && WEXITSTATUS(status) == 3;
    ASSERT_TRUE(is_over || status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)) << status;
  }
  Study study = open();
  std::vector<std::int64_t> attempts;
  for (const Trial& trial : study.trials()) attempts.push_back(trial.attempt);
  EXPECT_THAT(attempts, Each(2));
  EXPECT_EQ(asked(study), undisturbed());
}

TEST_F(StudyTest, CountsTrialsThatOthersAreAtWorkOn) {
  create("{metric: loss, method: grid, parameters: {x: {values: [1, 2, 3]}}}");
  std::vector<std::string> seen;
  for (int i = 0; i < 3; ++i) seen.push_back(value_text(open().ask("", 0)->parameters[0].value));
  EXPECT_THAT(seen, testing::UnorderedElementsAre("1", "2", "3"));
  EXPECT_FALSE(open().ask("", 0));
}

TEST_F(StudyTest, IsFinishedOnceAllOfItsTrialsHaveEnded) {
  Study study = create("{metric: loss, parameters: {x: {min: 0.0, max: 1.0}}, n_trials: 2}");
  EXPECT_FALSE(study.is_finished());
  study.ask("", 0), study.ask("", 0);
  EXPECT_FALSE(study.ask("", 0));
  study.tell(1, {}, {1});
  EXPECT_FALSE(study.is_finished()) << "trial 0 is still running";
  study.tell(0, {}, TrialState::kFailed, "");
  EXPECT_TRUE(study.is_finished());
}

TEST_F(StudyTest, IsFinishedOnceEachPointWasTried) {
  Study study = create(
      "{metric: loss, method: random, parameters: {x: {values: [1, 2]}, y: {min: 1, max: 2}}, "
      "constraints: [x + y < 4]}");
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(study.is_finished());
    study.tell(study.ask("", 0)->number, {}, {1});
  }
  EXPECT_TRUE(study.is_finished());
  EXPECT_FALSE(study.ask("", 0));
}

TEST_F(StudyTest, IsNeverFinishedWithoutAnEnd) {
  Study study = create("{metric: loss, parameters: {x: {min: 0.0, max: 1.0}}}");
  EXPECT_FALSE(study.is_finished());
  study.tell(study.ask("", 0)->number, {}, {1});
  EXPECT_FALSE(study.is_finished());
}

TEST_F(StudyTest, RefusesAWrongNumberOfValues) {
  Study study = create("{metric: [loss, speed], method: random, parameters: {x: {min: 0.0, max: 1.0}}}");
  study.ask("", 0);
  EXPECT_THAT([&] { study.tell(0, {}, {1}); }, throws_error(ErrorCode::kBadInput, "2 values (loss, speed), got 1"));
  EXPECT_THAT([&] { study.tell(0, {}, std::vector<double>{}); }, throws_error(ErrorCode::kBadInput, "got 0"));
  EXPECT_EQ(study.trials()[0].state, TrialState::kRunning);
}

TEST_F(StudyTest, TakesWhatIsNoFiniteNumberForAFailure) {
  Study study = create("{metric: [loss, speed], method: random, parameters: {x: {min: 0.0, max: 1.0}}}");
  study.ask("", 0), study.ask("", 0);
  study.tell(0, {}, {1, kNan});
  study.tell(1, {}, {-std::numeric_limits<double>::infinity(), 1});
  for (const Trial& trial : study.trials()) {
    EXPECT_EQ(trial.state, TrialState::kFailed);
    EXPECT_THAT(trial.values, IsEmpty());
  }
  EXPECT_THAT(study.trials()[0].reason, HasSubstr("speed is nan"));
  EXPECT_THAT(study.trials()[1].reason, HasSubstr("loss is -inf"));
}

TEST_F(StudyTest, TakesOneResultOfATrial) {
  Study study = create("{metric: loss, parameters: {x: {min: 0.0, max: 1.0}}}");
  study.ask("", 0);
  study.tell(0, {}, {0.5});
  EXPECT_THAT([&] { study.tell(0, {}, {0.25}); }, throws_error(ErrorCode::kBadInput, "complete with 0.5"));
  EXPECT_THAT([&] { study.tell(7, {}, {0.25}); }, throws_error(ErrorCode::kBadInput, "no trial 7"));
}

TEST_F(StudyTest, NamesTheBestTrialByTheGoal) {
  for (const bool maximize : {false, true}) {
    Study study = Study::create(location(maximize ? "up" : "down"),
                                std::string("{metric: {name: m, goal: ") + (maximize ? "maximize" : "minimize") +
                                    "}, method: random, parameters: {x: {min: 0.0, max: 1.0}}}",
                                "sweep.yaml");
    EXPECT_THAT(study.best(), IsEmpty());
    for (const double value : {2.0, 1.0, 3.0, 1.0, 3.0}) study.tell(study.ask("", 0)->number, {}, {value});
    ASSERT_THAT(study.best(), SizeIs(1));
    EXPECT_EQ(study.best()[0]->number, maximize ? 2 : 1);
  }
}

TEST_F(StudyTest, NamesAllTrialsThatNoOtherDominates) {
  Study study =
      create("{metric: [{name: a}, {name: b, goal: maximize}], method: random, parameters: {x: {min: 0.0, max: 1.0}}}");
  for (const auto& [a, b] : std::vector<std::pair<double, double>>{{1, 1}, {2, 2}, {2, 1}, {0, 0}})
    study.tell(study.ask("", 0)->number, {}, {a, b});
  std::vector<std::int64_t> numbers;
  for (const Trial* trial : study.best()) numbers.push_back(trial->number);
  EXPECT_THAT(numbers, ElementsAre(0, 1, 3));
}

TEST_F(StudyTest, MakesNoStoreOfASweepThatCannotBeSearched) {
  const auto refuses = [&](const char* sweep, const char* text) {
    EXPECT_THAT([&] { create(sweep); }, throws_error(ErrorCode::kUsage, text)) << sweep;
    EXPECT_FALSE(StudyStore::exists(location())) << sweep;
  };
  refuses("{metric: loss, parameters: {}}", "parameters");
  refuses("{metric: loss, method: grid, parameters: {x: {min: 0.0, max: 1.0}}}", "x");
  for (const char* method : {"random", "grid", "bayes", "evolution", "qmc", "tpe"})
    refuses(
        (std::string("{metric: loss, parameters: {x: {min: 0, max: 9}}, constraints: [x > 9], method: ") + method + "}")
            .c_str(),
        "constraints leave nothing");
}

TEST_F(StudyTest, KeepsWhereItsSweepFileLies) {
  create("{metric: loss, base: train.yaml, parameters: {x: {min: 0.0, max: 1.0}}}");
  EXPECT_EQ(open().sweep().base, (std::filesystem::current_path() / "train.yaml").string());
}

TEST(StudyFolders, LieBesideTheStudy) {
  EXPECT_EQ(runs_folder("some/sweep.study"), "some/sweep.study.runs");
  EXPECT_EQ(trial_folder("some/sweep.study", 17), "some/sweep.study.runs/000017");
  EXPECT_EQ(trial_folder("s", 12345678), "s.runs/12345678");
  EXPECT_EQ(runs_folder("postgresql://host/database?study=my/first"), "my-first.runs");
  EXPECT_EQ(runs_folder("postgresql://host/database"), "default.runs");
}

}  // namespace
}  // namespace trireme::tune
