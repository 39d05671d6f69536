#include "tune/trial/training_job.h"

#include <gmock/gmock.h>

#include <fstream>

#include "tune/store/study_testing.h"

namespace trireme::tune {
namespace {

using testing::ElementsAre;

class TrainingSweep : public testing::Test {
 protected:
  Sweep sweep(const std::string& parameters, const std::string& base = "steps: 10\n") {
    std::ofstream(folder_.path() / "train.yaml") << base;
    return parse_sweep("metric: eval_loss\nbase: train.yaml\nthreads: 3\nparameters:\n" + parameters,
                       folder_.path() / "sweep.yaml");
  }
  void expect_refused(const std::string& parameters, const std::string& message) {
    EXPECT_THAT([&] { check_training_sweep(sweep(parameters)); }, throws_error(ErrorCode::kUsage, message));
  }
  const StudyFolder folder_;
};

TEST_F(TrainingSweep, KeysOfTheTrainerAreParameters) {
  check_training_sweep(
      sweep("  optimizer.learning-rate: {min: 1e-4, max: 1e-2, log: true}\n"
            "  model: {width: {values: [64, 128]}, dropout: {mu: 0.2, sigma: 0.05}}\n"
            "  model.layers: {min: 1, max: 8}\n"
            "  model.tie-embeddings: {values: [true, false]}\n"
            "  schedule.name: {values: [wsd, cosine]}\n"));
}

TEST_F(TrainingSweep, WhatTheTrainerWouldRefuseIsRefusedBeforeAnythingStarts) {
  expect_refused("  model.widht: {values: [64]}\n", "unknown key model.widht");
  expect_refused("  model.widht: {values: [64]}\n", "did you mean model.width?");
  expect_refused("  optimizer.learning-rate: {min: 1.0, max: 11.0}\n",
                 "optimizer.learning-rate must be a number in [0, 10]");
  expect_refused("  optimizer.learning-rate: {min: -1.0, max: 1.0}\n", "got '-1.0'");
  expect_refused("  schedule.name: {values: [wsd, cosin]}\n", "schedule.name must be one of");
  expect_refused("  model.layers: {min: 1.0, max: 8.0}\n", "model.layers must be an integer");
  expect_refused("  model.dropout: {mu: 0.1, sigma: 0.2}\n", "model.dropout must be a number in [0, 0.99]");
  expect_refused("  threads: {values: [1, 2]}\n", "the sweep's own key threads");
}

TEST_F(TrainingSweep, TheBaseFileMustBeOne) {
  EXPECT_THAT([&] { check_training_sweep(sweep("  steps: {min: 1, max: 2}\n", "stpes: 3\n")); },
              throws_error(ErrorCode::kUsage, "unknown key stpes"));
  Sweep missing = sweep("  steps: {min: 1, max: 2}\n");
  missing.base += ".none";
  EXPECT_THAT([&] { check_training_sweep(missing); }, throws_error(ErrorCode::kNotFound, "train.yaml.none"));
}

TEST_F(TrainingSweep, OtherSweepsHaveNothingToCheck) {
  Sweep other = sweep("  anything: {min: 1, max: 2}\n");
  other.base.clear();
  check_training_sweep(other);
}

TEST_F(TrainingSweep, IsStartedAsARunInItsFolder) {
  Sweep one = sweep("  steps: {min: 1, max: 2}\n");
  const Parameters parameters{{"optimizer.learning-rate", 1e-3}, {"schedule.name", std::string("wsd")}};
  const CommandContext context{17, parameters, "/runs/000017"};
  EXPECT_THAT(training_command(one, {"trireme-train", "mpi"}, context, 1),
              ElementsAre("trireme-train", "--config", one.base, "--run", "/runs/000017", "--threads", "3",
                          "--optimizer.learning-rate=0.001", "--schedule.name=wsd"));
  one.ranks = 2;
  EXPECT_THAT(
      training_command(one, {"trireme-train", "mpi"}, {17, {}, "/runs/000017"}, 2),
      ElementsAre("mpi", "-n", "2", "trireme-train", "--config", one.base, "--run", "/runs/000017", "--threads", "3"));
  EXPECT_THAT(training_command(one, {"trireme-train", "mpi"}, {17, {}, "/runs/000017"}, 1),
              ElementsAre("mpi", "-n", "2", "--map-by", ":OVERSUBSCRIBE", "trireme-train", "--config", one.base,
                          "--run", "/runs/000017", "--threads", "3"));
}

TEST(TrainingPrograms, AreFoundOrGiven) {
  const auto given = TrainingPrograms::find("/a/trireme-train", "srun");
  EXPECT_EQ(given.trainer, "/a/trireme-train");
  EXPECT_EQ(given.launcher, "srun");
  EXPECT_EQ(TrainingPrograms::find("", "").trainer,
            std::filesystem::read_symlink("/proc/self/exe").parent_path() / "trireme-train");
}

}  // namespace
}  // namespace trireme::tune
