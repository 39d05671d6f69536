#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "core/base/error.h"
#include "core/comm/communicator.h"
#include "core/comm/job.h"

namespace trireme {
namespace {

Communicator* world = nullptr;  // gtest gives tests no argument

TEST(MpiCommunicator, GathersInRankOrder) {
  const std::int64_t mine = 10 * world->rank();
  std::vector<std::int64_t> all(static_cast<std::size_t>(world->size()), -1);
  world->all_gather(&mine, sizeof mine, all.data());
  for (int r = 0; r < world->size(); ++r) EXPECT_EQ(all[static_cast<std::size_t>(r)], 10 * r);
}

}  // namespace
}  // namespace trireme

int main(int count, char** values) {
  testing::InitGoogleTest(&count, values);
  return trireme::run_job([](trireme::Communicator& comm) {
    trireme::world = &comm;
    return RUN_ALL_TESTS();
  });
}
