#include "train/check/self_check.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "core/comm/thread_communicator.h"

namespace trireme::train {
namespace {

TEST(SelfCheck, EveryLayoutOfSomeRanksEqualsOneRank) {
  for (const int ranks : {1, 2, 4}) {
    std::size_t layouts = 0;
    run_on_threads(ranks, [&](Communicator& world) {
      at::set_num_threads(1);
      const std::vector<CheckedLayout> all = self_check(world, {.steps = 2});
      for (const CheckedLayout& checked : all)
        EXPECT_TRUE(checked.difference.is_none()) << checked.layout << ", " << checked.model;
      if (world.rank() == 0) layouts = all.size();
    });
    EXPECT_GE(layouts, static_cast<std::size_t>(ranks)) << ranks;
  }
}

}  // namespace
}  // namespace trireme::train
