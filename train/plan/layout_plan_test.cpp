#include "train/plan/layout_plan.h"

#include <gmock/gmock.h>

#include "core/base/error.h"
#include "train/parallel/legal_layouts.h"

namespace trireme::train {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr std::int64_t kVocabulary = 8192;

// 640 MB of weights in fp32.
TrainConfig large() {
  TrainConfig config;
  config.model.layers = 12;
  config.model.width = 1024;
  config.model.heads = 16;
  config.model.ffn = 2816;
  config.model.context = 512;
  config.data.sequence_length = 512;
  config.data.micro_batch = 1;
  config.data.global_batch = 16;
  return config;
}

ParallelConfig sharded(std::int64_t stage, std::int64_t group = 0) {
  ParallelConfig parallel;
  parallel.shard = stage;
  parallel.shard_group = group;
  return parallel;
}

TEST(LayoutPlan, FourRanksHoldQuarters) {
  Planner planner(large(), kVocabulary);
  const MemoryPlan whole = planner.plan(sharded(0), 4).memory, one = planner.plan(sharded(1), 4).memory,
                   three = planner.plan(sharded(3), 4).memory, two_of_two = planner.plan(sharded(1, 2), 4).memory;
  const auto weights = static_cast<double>(planner.model().parameters().elements()) * 4;
  EXPECT_GT(weights, 500e6);
  EXPECT_NEAR(whole.weights / weights, 1, 0.01);
  EXPECT_NEAR(whole.moments / weights, 2, 0.01);
  EXPECT_EQ(one.weights, whole.weights);
  EXPECT_NEAR(one.moments / whole.moments, 0.25, 0.01);
  EXPECT_NEAR(two_of_two.moments / whole.moments, 0.5, 0.01);
  EXPECT_NEAR(three.moments / whole.moments, 0.25, 0.01);
  EXPECT_NEAR(three.masters / weights, 0.25, 0.01);
  EXPECT_LT(three.weights, 0.2 * weights) << "two layers of twelve";
  EXPECT_LT(three.peak, 0.5 * whole.peak);
}

// Runs that begin in the middle of the tree leave more partial sums than those that begin with it.
TEST(LayoutPlan, TheRankWithMostPartialSumsCounts) {
  TrainConfig config = large();
  config.data.global_batch = 12;
  Planner planner(config, kVocabulary);
  const MemoryPlan plan = planner.plan(sharded(0), 2).memory;
  EXPECT_NEAR(plan.gradients / plan.weights, 3.0, 0.2) << "micro-batches 6 to 11: (6 7) and two more for (8 .. 11)";
  // In groups a rank keeps sums for its place, and partial ones of what it adds up itself.
  config.data.global_batch = 16;
  Planner turns(config, kVocabulary);
  const MemoryPlan halves = turns.plan(sharded(2, 2), 4).memory, quarters = turns.plan(sharded(2), 4).memory;
  EXPECT_LT(halves.gradients, quarters.gradients + 0.3 * plan.weights);
}

TEST(LayoutPlan, APipelineHoldsItsLayersAndWaits) {
  TrainConfig config = large();
  Planner planner(config, kVocabulary);
  config.parallel.pipeline = 4;
  const LayoutPlan plan = planner.plan(config.parallel, 4);
  EXPECT_EQ(plan.stages.size(), 4u);
  EXPECT_NEAR(plan.bubble(), 3.0 / 19, 1e-12);
  EXPECT_LT(plan.memory.moments, 0.4 * planner.plan(sharded(0), 4).memory.moments);
  EXPECT_EQ(plan.bytes_along(Axis::kData), 0);
  // 16 micro-batches of 512 x 1024 numbers forward or back, and on most ranks both.
  EXPECT_NEAR(plan.bytes_along(Axis::kPipeline), 2 * 16 * 512 * 1024 * 4.0, 40e6);
}

TEST(LayoutPlan, TimeIsWorkWaitingAndMessages) {
  TrainConfig config = large();
  Planner planner(config, kVocabulary);
  const double work = static_cast<double>(config.tokens_per_step()) * planner.model().training_flops_per_token(512);
  const Target quick{1e12, 1e18}, slow{1e12, 1e9};
  EXPECT_FALSE(planner.plan(sharded(1), 4).step_seconds);
  EXPECT_FALSE(planner.plan(sharded(1), 4, {1e12, 0}).step_seconds);
  EXPECT_NEAR(*planner.plan(sharded(0), 1, quick).step_seconds, work / 1e12, 1e-6);
  EXPECT_NEAR(*planner.plan(sharded(0), 1, quick).mfu, 1, 1e-6);
  const LayoutPlan four = planner.plan(sharded(1), 4, slow);
  EXPECT_NEAR(*four.step_seconds, work / 4e12 + four.bytes_along(Axis::kData) / 1e9, 1e-6);
  EXPECT_LT(*four.mfu, 0.9);
  config.parallel.pipeline = 4;
  const LayoutPlan pipeline = planner.plan(config.parallel, 4, quick);
  // The last of four stages of three layers has the head as well, which is two thirds of a layer.
  EXPECT_NEAR(*pipeline.step_seconds / (work / 4e12 / (1 - 3.0 / 19)), 4 * 3.65 / 12.65, 0.02);
  config.recompute = "full";
  EXPECT_NEAR(*Planner(config, kVocabulary).plan(sharded(0), 1, quick).step_seconds, work / 1e12 * 4 / 3,
              work / 1e12 / 50);
}

TEST(LayoutPlan, KnowsEveryLayoutAndRefusesWhatCannotBe) {
  TrainConfig config = large();
  config.data.global_batch = 48;
  Planner planner(config, kVocabulary);
  for (const ParallelConfig& parallel : legal_layouts(12, config.model.layers, config.micro_batches(), 3)) {
    const LayoutPlan plan = planner.plan(parallel, 12, {1e12, 1e9});
    EXPECT_GT(plan.memory.peak, 0) << layout_text(parallel, 12);
    EXPECT_GT(*plan.mfu, 0) << layout_text(parallel, 12);
    EXPECT_LT(*plan.mfu, 1) << layout_text(parallel, 12);
    EXPECT_EQ(plan.bubble() > 0, parallel.pipeline > 1) << layout_text(parallel, 12);
  }
  config.parallel.pipeline = 5;
  EXPECT_THAT([&] { planner.plan(config.parallel, 12); }, ThrowsMessage<Error>(HasSubstr("parallel.pipeline 5")));
}

}  // namespace
}  // namespace trireme::train
