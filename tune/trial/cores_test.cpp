#include "tune/trial/cores.h"

#include <gmock/gmock.h>
#include <sched.h>

#include <set>

namespace trireme::tune {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Cores, ThoseThatThisProcessMayRunOn) {
  cpu_set_t set;
  ASSERT_EQ(::sched_getaffinity(0, sizeof set, &set), 0);
  EXPECT_EQ(allowed_cores().size(), static_cast<std::size_t>(CPU_COUNT(&set)));
  for (const int core : allowed_cores()) EXPECT_TRUE(CPU_ISSET(static_cast<std::size_t>(core), &set));
}

TEST(Cores, AreSplitEvenlyAndEachIsUsed) {
  EXPECT_THAT(split_cores({0, 2, 4, 6}, 2), ElementsAre(ElementsAre(0, 2), ElementsAre(4, 6)));
  for (int cores = 1; cores <= 17; ++cores)
    for (std::int64_t slots = 1; slots <= cores; ++slots) {
      std::vector<int> all(static_cast<std::size_t>(cores));
      for (int core = 0; core < cores; ++core) all[static_cast<std::size_t>(core)] = 3 * core;
      std::vector<int> joined;
      for (const auto& share : split_cores(all, slots)) {
        EXPECT_TRUE(share.size() == all.size() / static_cast<std::size_t>(slots) ||
                    share.size() == all.size() / static_cast<std::size_t>(slots) + 1);
        joined.insert(joined.end(), share.begin(), share.end());
      }
      EXPECT_EQ(joined, all);
    }
}

TEST(Cores, SeveralSlotsShareOneWhereThereAreFewer) {
  EXPECT_THAT(split_cores({5, 7}, 4), ElementsAre(ElementsAre(5), ElementsAre(5), ElementsAre(7), ElementsAre(7)));
  EXPECT_THAT(split_cores({}, 2), ElementsAre(IsEmpty(), IsEmpty()));
}

TEST(Cores, AMaskHasABitACore) {
  EXPECT_THAT(core_mask({0, 1, 64}), ElementsAre(3UL, 1UL));
  EXPECT_EQ(core_mask({4096}).size(), 65u);
}

}  // namespace
}  // namespace trireme::tune
