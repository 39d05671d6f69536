#include "models/checkpoint/run_checkpoints.h"

#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "core/base/error.h"
#include "models/checkpoint/test_checkpoint.h"

namespace trireme::models {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Property;
using testing::Throws;

class RunCheckpoints : public testing::Test {
 protected:
  void save(std::int64_t step) { save_rows(checkpoint_path(run(), step), small_model(), 1); }
  // As the trainer does after an evaluation at `evaluated`.
  void save(std::int64_t step, double loss, std::int64_t evaluated) {
    save_rows(checkpoint_path(run(), step), small_model(), 1,
              "{\"step\": " + std::to_string(step) + ", \"eval-step\": " + std::to_string(evaluated) +
                  ", \"eval-loss\": " + std::to_string(loss) + "}");
  }
  void save(std::int64_t step, double loss) { save(step, loss, step); }
  void damage(std::int64_t step, const std::string& file) {
    const fs::path path = checkpoint_path(run(), step) / file;
    std::string bytes = content_of(path);
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
    put_content(path, bytes);
  }
  void cut(std::int64_t step, const std::string& file) { fs::resize_file(checkpoint_path(run(), step) / file, 100); }
  fs::path run() const { return folder_.path(); }
  const RunOwner& owner() {
    if (!owner_) owner_.emplace(RunOwner::claim(run()));
    return *owner_;
  }

 private:
  const TemporaryFolder folder_;
  std::optional<RunOwner> owner_;
};

TEST_F(RunCheckpoints, ListsCommittedStepsAndNothingElse) {
  EXPECT_THAT(checkpoint_steps(run()), IsEmpty());
  EXPECT_EQ(checkpoint_path("runs/first", 200), fs::path("runs/first/checkpoints/step-00000200"));
  save(200);
  save(30);
  save(1234567890);
  for (const char* other : {"step-00000300.tmp-1a2b3c4d", "step-00000300.old-1a2b3c4d", "step-300", "step-", "notes",
                            "step-0000030x", "step-000000300", "step--0000001", "step-99999999999999999999"})
    fs::create_directories(run() / "checkpoints" / other);
  EXPECT_THAT(checkpoint_steps(run()), ElementsAre(30, 200, 1234567890));
}

TEST_F(RunCheckpoints, PruneKeepsTheNewestAndThoseThatStayForEver) {
  for (const std::int64_t step : {10, 20, 30, 40, 50}) save(step);
  prune_checkpoints(owner(), {0, 0, 100});
  EXPECT_THAT(checkpoint_steps(run()), ElementsAre(10, 20, 30, 40, 50));
  prune_checkpoints(owner(), {.newest = 2, .every = 20});
  EXPECT_THAT(checkpoint_steps(run()), ElementsAre(20, 40, 50));
  prune_checkpoints(owner(), {1});
  EXPECT_THAT(checkpoint_steps(run()), ElementsAre(50));
  EXPECT_EQ(std::distance(fs::directory_iterator(run() / "checkpoints"), {}), 1);
}

TEST_F(RunCheckpoints, TheBestIsWhoseOwnStepHasTheLowestLoss) {
  EXPECT_THAT(best_checkpoints(run()), IsEmpty());
  save(10, 3.5);
  save(20, 3.25);
  save(30, 3.0, 20);  // the newest evaluation was ten steps before
  save(40, 3.25);
  save(50);
  save(60, 1.0);
  cut(60, "manifest.json");
  std::vector<std::int64_t> steps;
  for (const EvaluatedStep& one : best_checkpoints(run())) steps.push_back(one.step);
  EXPECT_THAT(steps, ElementsAre(40, 20, 10)) << "of equal ones the newest";
  EXPECT_EQ(evaluated_loss(Checkpoint::open(checkpoint_path(run(), 20))), 3.25);
  EXPECT_EQ(evaluated_loss(Checkpoint::open(checkpoint_path(run(), 30))), std::nullopt);
}

TEST_F(RunCheckpoints, PruneKeepsTheBestBesideTheNewest) {
  save(10, 3);
  save(20, 2);
  save(30, 2.5);
  save(40, 4);
  save(50);
  prune_checkpoints(owner(), {1, 2});
  EXPECT_THAT(checkpoint_steps(run()), ElementsAre(20, 30, 50));
  prune_checkpoints(owner(), {2, 1});
  EXPECT_THAT(checkpoint_steps(run()), ElementsAre(20, 30, 50)) << "30 is of the newest two";
  prune_checkpoints(owner(), {1, 1});
  EXPECT_THAT(checkpoint_steps(run()), ElementsAre(20, 50));
  prune_checkpoints(owner(), {1, 9});
  EXPECT_THAT(checkpoint_steps(run()), ElementsAre(20, 50));
}

TEST_F(RunCheckpoints, ARunThatGoesBackKeepsItsBestUnderAnotherName) {
  save(10, 3);
  save(20, 2);
  save(30, 2.5);
  remove_checkpoints_after(owner(), 10, {0, 1});
  EXPECT_THAT(checkpoint_steps(run()), ElementsAre(10));
  std::vector<fs::path> left;
  for (const auto& entry : fs::directory_iterator(run() / "checkpoints")) left.push_back(entry.path());
  ASSERT_EQ(left.size(), 2u);
  const fs::path aside = left[left[0] == checkpoint_path(run(), 10)];
  EXPECT_THAT(aside.filename().string(), testing::StartsWith("step-00000020.left-"));
  EXPECT_EQ(evaluated_loss(open_model(aside)), 2);
  prune_checkpoints(owner(), {1, 1});
  EXPECT_TRUE(fs::exists(aside));
}

TEST_F(RunCheckpoints, OpensTheBestOrAnyStep) {
  save(10, 2);
  save(20, 3);
  EXPECT_EQ(open_model(run(), "best").directory(), checkpoint_path(run(), 10));
  EXPECT_EQ(open_model(run(), "newest").directory(), checkpoint_path(run(), 20));
  EXPECT_EQ(open_model(run(), "10").directory(), checkpoint_path(run(), 10));
  EXPECT_THAT([&] { open_model(run(), "30"); }, throws(ErrorCode::kNotFound, "step-00000030"));
  for (const char* step : {"", "worst", "-1", "1x", "99999999999999999999"})
    EXPECT_THAT([&] { open_model(run(), step); }, throws(ErrorCode::kUsage, "newest, best or a step")) << step;
  EXPECT_THAT([&] { open_model(checkpoint_path(run(), 10), "best"); }, throws(ErrorCode::kUsage, "is one itself"));
  damage(10, "rank-00000.h5");
  EXPECT_EQ(open_model(run(), "best").directory(), checkpoint_path(run(), 20)) << "the next best is sound";
}

TEST_F(RunCheckpoints, BestOfARunThatNeverEvaluatedIsNotFound) {
  save(10);
  EXPECT_THAT([&] { open_model(run(), "best"); }, throws(ErrorCode::kNotFound, "evaluation"));
}

TEST_F(RunCheckpoints, PruneDoesNotCountDamagedOnes) {
  for (const std::int64_t step : {10, 20, 30}) save(step);
  cut(30, "manifest.json");
  prune_checkpoints(owner(), {1});
  EXPECT_THAT(checkpoint_steps(run()), ElementsAre(20, 30));
}

// It may be the best one there is.
TEST_F(RunCheckpoints, PruneRemovesNothingWhileOneCannotBeOpenedForAnotherReasonThanDamage) {
  save(10, 2.0);
  save(20, 3.0);
  save(30, 3.0);
  const fs::path manifest = checkpoint_path(run(), 10) / "manifest.json";
  fs::rename(manifest, run() / "aside");
  fs::create_symlink(manifest, manifest);
  EXPECT_THAT([&] { prune_checkpoints(owner(), {1, 1}); }, throws(ErrorCode::kIo, "symbolic links"));
  EXPECT_THAT(checkpoint_steps(run()), ElementsAre(10, 20, 30));
  fs::rename(run() / "aside", manifest);
  prune_checkpoints(owner(), {1, 1});
  EXPECT_THAT(checkpoint_steps(run()), ElementsAre(10, 30));
}

TEST_F(RunCheckpoints, OneIsOpenedWhileTheRunSavesAndPrunes) {
  save(1, 1.0);
  owner();
  std::atomic<bool> done{false};
  std::thread trainer([&] {
    for (std::int64_t step = 2; step <= 60; ++step) {
      save(step, 1.0);
      prune_checkpoints(owner(), {1});
    }
    done = true;
  });
  int opened = 0;
  for (; !done; ++opened)
    for (const char* step : {"newest", "best"}) {
      std::string failed;
      try {
        open_model(run(), step);
      } catch (const Error& error) {
        failed = error.what();
      }
      EXPECT_EQ(failed, "");
    }
  trainer.join();
  EXPECT_GT(opened, 0);
}

TEST_F(RunCheckpoints, DamagedOnesAreSetAsideAndNeitherCountedNorDeleted) {
  for (const std::int64_t step : {10, 20, 30}) save(step);
  set_aside_checkpoints_after(owner(), 10);
  EXPECT_THAT(checkpoint_steps(run()), ElementsAre(10));
  prune_checkpoints(owner(), {1});
  EXPECT_THAT(checkpoint_steps(run()), ElementsAre(10));
  EXPECT_EQ(std::distance(fs::directory_iterator(run() / "checkpoints"), {}), 3);
}

TEST_F(RunCheckpoints, PruneOfARunWithoutCheckpointsDoesNothing) { prune_checkpoints(owner(), {3}); }

TEST_F(RunCheckpoints, OpensACheckpointByItsDirectory) {
  save(10);
  EXPECT_EQ(open_model(checkpoint_path(run(), 10)).weights_hash(), hash_of(small_model()));
  EXPECT_EQ(open_model(checkpoint_path(run(), 10) / "").weights_hash(), hash_of(small_model()));
}

TEST_F(RunCheckpoints, OpensTheNewestSoundOneAndNamesTheOthers) {
  for (const std::int64_t step : {10, 20, 30, 40}) save(step);
  damage(40, "rank-00000.h5");
  cut(30, "rank-00000.h5");
  fs::remove(checkpoint_path(run(), 20) / "manifest.json");
  testing::internal::CaptureStderr();
  const Checkpoint checkpoint = open_model(run());
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(checkpoint.directory(), checkpoint_path(run(), 10));
  EXPECT_THAT(log, AllOf(HasSubstr("step-00000040: rank-00000.h5: tensor optimizer/first-moment/weights/embedding"),
                         HasSubstr("step-00000030"), HasSubstr("step-00000020")));
}

TEST_F(RunCheckpoints, SaysWhatItLookedAtWhenNothingIsSound) {
  EXPECT_THAT([&] { open_model(run() / "none"); }, throws(ErrorCode::kNotFound, "none"));
  EXPECT_THAT([&] { open_model(run()); }, throws(ErrorCode::kNotFound, "checkpoints/step-"));
  save(10);
  save(20);
  damage(10, "tokenizer.json");
  damage(20, "manifest.json");
  EXPECT_THAT([&] { open_model(run()); }, AllOf(throws(ErrorCode::kCorrupt, "step-00000010: tokenizer.json: damaged"),
                                                throws(ErrorCode::kCorrupt, "step-00000020")));
  EXPECT_THAT([&] { open_model(checkpoint_path(run(), 20)); }, throws(ErrorCode::kCorrupt, "manifest.json"));
}

}  // namespace
}  // namespace trireme::models
