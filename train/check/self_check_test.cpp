#include "train/check/self_check.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <atomic>

#include "core/base/error.h"
#include "core/comm/thread_communicator.h"

namespace trireme::train {
namespace {

TEST(SelfCheck, EveryLayoutOfSomeRanksEqualsOneRank) {
  for (const int ranks : {1, 2, 4}) {
    std::size_t layouts = 0;
    run_on_threads(ranks, [&](Communicator& world) {
      at::set_num_threads(1);
      const SelfCheck check = self_check(world, {.steps = 2});
      for (const CheckedLayout& checked : check.layouts)
        EXPECT_TRUE(checked.difference.is_none()) << checked.layout << ", " << checked.model;
      EXPECT_FALSE(check.struck);
      if (world.rank() == 0) layouts = check.layouts.size();
    });
    EXPECT_GE(layouts, static_cast<std::size_t>(ranks)) << ranks;
  }
}

// Each way in which each message that carries tensors or sums can go wrong: skipped, to other ranks, counted twice. A
// message that does not come is found as well.
class PlantedFaults : public ::testing::TestWithParam<const char*> {};

TEST_P(PlantedFaults, AreFoundWhereverTensorsOrSumsTravel) {
  const std::vector<const Site*> sites = Site::all();
  EXPECT_GE(sites.size(), 14u);
  for (const Site* site : sites) {
    SelfCheckOptions options{
        .steps = 1, .fail_fast = true, .patience = std::string(GetParam()) == "wrong-group" ? 2.0 : 60.0};
    options.plant = std::string(site->name()) + ":" + GetParam();
    std::string verdict;
    std::atomic<bool> struck = false;
    try {
      run_on_threads(4, [&](Communicator& world) {
        at::set_num_threads(1);
        const SelfCheck check = self_check(world, options);
        if (check.struck) struck = true;
        if (world.rank() != 0) return;
        const CheckedLayout& last = check.layouts.back();
        verdict = last.difference.is_none() ? "" : "differs: " + last.layout + ", " + last.model;
      });
    } catch (const Error& error) {
      verdict = error.what();
      struck = true;
      // What is only left out or changed must not make anyone wait, and a machine that is busy is no fault found.
      EXPECT_STREQ(GetParam(), "wrong-group") << site->name() << ": " << verdict;
    }
    EXPECT_TRUE(struck) << "no layout sends " << site->name();
    EXPECT_NE(verdict, "") << site->name() << ":" << GetParam() << " was not found";
    RecordProperty(site->name(), verdict);
  }
}

INSTANTIATE_TEST_SUITE_P(Each, PlantedFaults, ::testing::Values("skip", "wrong-group", "twice"), [](const auto& info) {
  return std::string(info.param) == "wrong-group" ? "wrong_group" : info.param;
});

}  // namespace
}  // namespace trireme::train
