#include "train/parallel/pipeline_schedule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

namespace trireme::train {
namespace {

constexpr PipelineOrder kOrders[] = {PipelineOrder::kOneForwardOneBackward, PipelineOrder::kZeroBubble};

std::vector<PipelineShape> shapes() {
  std::vector<PipelineShape> all;
  for (const PipelineOrder order : kOrders)
    for (const int ranks : {1, 2, 3, 4, 7, 8})
      for (const int chunks : {1, 2, 3})
        for (const std::int64_t micro_batches : {ranks, ranks + 1, 2 * ranks, 5 * ranks - 1, 8 * ranks})
          all.push_back({ranks, chunks, micro_batches, order});
  return all;
}

std::string name(const PipelineShape& shape) {
  return std::to_string(shape.ranks) + " ranks x " + std::to_string(shape.chunks) + ", " +
         std::to_string(shape.micro_batches) + " micro-batches, order " + std::to_string(static_cast<int>(shape.order));
}

// Ranks do their actions in order, each as soon as what it needs is done, in whatever time actions take.
// Returns how many actions were done before all ranks waited for each other.
std::size_t actions_done(const PipelineShape& shape, const PipelineSchedule& schedule) {
  std::set<std::tuple<bool, int, std::int64_t>> done;  // forward?, stage, micro-batch
  std::vector<std::size_t> next(schedule.actions.size());
  std::size_t count = 0;
  for (bool any = true; any;) {
    any = false;
    for (int rank = 0; rank < shape.ranks; ++rank) {
      std::size_t& i = next[static_cast<std::size_t>(rank)];
      const auto& actions = schedule.actions[static_cast<std::size_t>(rank)];
      if (i == actions.size()) continue;
      const Action& action = actions[i];
      const int stage = action.chunk * shape.ranks + rank;
      const bool ready =
          action.work == Work::kForward ? stage == 0 || done.contains({true, stage - 1, action.micro_batch})
          : action.work == Work::kBackwardWeight
              ? done.contains({false, stage, action.micro_batch})
              : done.contains({true, stage, action.micro_batch}) &&
                    (stage + 1 == shape.stages() || done.contains({false, stage + 1, action.micro_batch}));
      if (!ready) continue;
      if (action.work != Work::kBackwardWeight) done.insert({action.work == Work::kForward, stage, action.micro_batch});
      ++i, ++count, any = true;
    }
  }
  return count;
}

TEST(PipelineSchedule, EveryStageDoesEveryMicroBatchOnceAndInOrder) {
  for (const PipelineShape& shape : shapes()) {
    const PipelineSchedule schedule = pipeline_schedule(shape);
    ASSERT_EQ(schedule.actions.size(), static_cast<std::size_t>(shape.ranks)) << name(shape);
    for (const auto& actions : schedule.actions) {
      std::map<std::pair<Work, int>, std::int64_t> next;
      for (const Action& action : actions)
        ASSERT_EQ(action.micro_batch, (next[{action.work, action.chunk}]++)) << name(shape);
      EXPECT_EQ(next.size(),
                static_cast<std::size_t>(shape.chunks) * (shape.order == PipelineOrder::kZeroBubble ? 3 : 2));
      for (const auto& [kind, count] : next) EXPECT_EQ(count, shape.micro_batches) << name(shape);
    }
  }
}

TEST(PipelineSchedule, RanksNeverWaitForEachOtherInACircle) {
  for (const PipelineShape& shape : shapes()) {
    const PipelineSchedule schedule = pipeline_schedule(shape);
    std::size_t all = 0;
    for (const auto& actions : schedule.actions) all += actions.size();
    EXPECT_EQ(actions_done(shape, schedule), all) << name(shape);
  }
}

TEST(PipelineSchedule, AnOrderThatWaitsInACircleIsSeen) {
  const PipelineShape shape{2, 1, 2};
  PipelineSchedule schedule = pipeline_schedule(shape);
  std::ranges::rotate(schedule.actions[1], schedule.actions[1].begin() + 1);  // a backward before its forward
  EXPECT_LT(actions_done(shape, schedule), 8u);
}

TEST(PipelineSchedule, HoldsWhatItSaysAndNoMoreThanTheFirstRankOf1F1B) {
  for (const PipelineShape& shape : shapes()) {
    const PipelineSchedule schedule = pipeline_schedule(shape);
    const std::int64_t limit =
        shape.chunks == 1 ? shape.ranks : 2 * (shape.ranks - 1) + (shape.chunks - 1) * shape.ranks + 1;
    for (std::size_t rank = 0; rank < schedule.actions.size(); ++rank) {
      std::int64_t held = 0, most = 0;
      for (const Action& action : schedule.actions[rank]) {
        if (action.work == Work::kForward) most = std::max(most, ++held);
        if (action.work == Work::kBackward || action.work == Work::kBackwardWeight) --held;
      }
      EXPECT_EQ(held, 0);
      EXPECT_EQ(schedule.most_held[rank], most) << name(shape);
      EXPECT_LE(most, limit) << name(shape);
      if (shape.order == PipelineOrder::kOneForwardOneBackward && shape.chunks == 1) {
        EXPECT_EQ(most, shape.ranks - static_cast<std::int64_t>(rank)) << name(shape);
      }
    }
  }
}

TEST(PipelineSchedule, WaitsAsLittleAsThePapersSay) {
  for (const PipelineShape& shape : shapes()) {
    if (shape.chunks > 1 && shape.micro_batches % shape.ranks != 0) continue;
    const double idle = shape.ranks - 1, split = shape.order == PipelineOrder::kZeroBubble ? 3 : 1;
    const double work = split * static_cast<double>(shape.micro_batches * shape.chunks);
    EXPECT_DOUBLE_EQ(pipeline_schedule(shape).bubble, idle / (work + idle)) << name(shape);
  }
}

TEST(PipelineSchedule, MoreStagesARankAndASplitBackwardWaitLess) {
  for (const int ranks : {2, 4, 8})
    for (std::int64_t micro_batches = ranks; micro_batches <= 4 * ranks; ++micro_batches) {
      const auto bubble = [&](int chunks, PipelineOrder order) {
        return pipeline_schedule({ranks, chunks, micro_batches, order}).bubble;
      };
      EXPECT_LT(bubble(2, kOrders[0]), bubble(1, kOrders[0])) << ranks << ", " << micro_batches;
      EXPECT_LT(bubble(1, kOrders[1]), bubble(1, kOrders[0])) << ranks << ", " << micro_batches;
      EXPECT_LT(bubble(2, kOrders[1]), bubble(2, kOrders[0])) << ranks << ", " << micro_batches;
    }
}

TEST(PipelineSchedule, IsDrawn) {
  EXPECT_EQ(drawn(pipeline_schedule({2, 1, 2}), 80),
            "rank 0  F0 F1       B0       B1\n"
            "rank 1     F0 B0    F1 B1\n");
  EXPECT_EQ(drawn(pipeline_schedule({2, 1, 2, PipelineOrder::kZeroBubble}), 80),
            "rank 0  F0 F1    I0 W0 I1 W1\n"
            "rank 1     F0 I0 F1 I1 W0 W1\n");
  EXPECT_EQ(drawn(pipeline_schedule({2, 2, 2}), 80).substr(0, 35), "rank 0  F0  F1  F0b F1b         B0b");
  const std::string cut = drawn(pipeline_schedule({4, 1, 64}), 60);
  EXPECT_EQ(std::ranges::count(cut, '\n'), 4);
  for (std::size_t begin = 0; begin < cut.size(); begin = cut.find('\n', begin) + 1) {
    const std::string line = cut.substr(begin, cut.find('\n', begin) - begin);
    EXPECT_LE(line.size(), 60u);
    EXPECT_TRUE(line.ends_with("...")) << line;
  }
}

}  // namespace
}  // namespace trireme::train
