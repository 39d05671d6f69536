#include <gmock/gmock.h>

#include <numeric>

#include "core/base/error.h"
#include "core/comm/test_site.h"
#include "core/comm/thread_communicator.h"

namespace trireme {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

// Rows and columns of a grid, whose collectives take turns and differ in speed.
TEST(Group, RowsAndColumnsOfAGridKeepTheirMessagesApart) {
  static constexpr int kRows = 2, kColumns = 3;
  run_on_threads(kRows * kColumns, [](Communicator& world) {
    const int row = world.rank() / kColumns, column = world.rank() % kColumns;
    std::vector<int> in_row, in_column;
    for (int i = 0; i < kColumns; ++i) in_row.push_back(row * kColumns + i);
    for (int i = 0; i < kRows; ++i) in_column.push_back(i * kColumns + column);
    const auto rows = make_group(world, in_row), columns = make_group(world, in_column);
    EXPECT_EQ(rows->rank(), column);
    EXPECT_EQ(rows->size(), kColumns);
    EXPECT_EQ(columns->rank(), row);
    for (int repeat = 0; repeat < 50; ++repeat) {
      const int mine = 100 * world.rank() + repeat;
      std::vector<int> across(kColumns), down(kRows);
      rows->all_gather(&mine, sizeof mine, across.data(), kTestSite);
      if (world.rank() % 2 == repeat % 2) columns->check();
      columns->all_gather(&mine, sizeof mine, down.data(), kTestSite);
      for (int i = 0; i < kColumns; ++i)
        ASSERT_EQ(across[static_cast<std::size_t>(i)], 100 * (row * kColumns + i) + repeat);
      for (int i = 0; i < kRows; ++i)
        ASSERT_EQ(down[static_cast<std::size_t>(i)], 100 * (i * kColumns + column) + repeat);
      std::int64_t most = world.rank();
      columns->all_max(&most, 1);
      ASSERT_EQ(most, (kRows - 1) * kColumns + column);
      int told = rows->rank() == 1 ? mine : -1;
      rows->broadcast(&told, sizeof told, 1, kTestSite);
      ASSERT_EQ(told, 100 * (row * kColumns + 1) + repeat);
      rows->barrier();
    }
  });
}

TEST(Group, RanksAreNumberedInTheOrderGiven) {
  run_on_threads(3, [](Communicator& world) {
    const auto group = make_group(world, {2, 0, 1});
    const int mine = world.rank();
    std::vector<int> all(3);
    group->all_gather(&mine, sizeof mine, all.data(), kTestSite);
    EXPECT_THAT(all, ElementsAre(2, 0, 1));
    int from_left = -1;
    const auto receive = group->start_receive(&from_left, sizeof from_left, (group->rank() + 2) % 3, {kTestSite, 5});
    group->start_send(&mine, sizeof mine, (group->rank() + 1) % 3, {kTestSite, 5})->wait();
    receive->wait();
    EXPECT_EQ(from_left, all[static_cast<std::size_t>((group->rank() + 2) % 3)]);
  });
}

TEST(Group, OfOneIsAWorldOfOne) {
  run_on_threads(2, [](Communicator& world) {
    const auto group = make_group(world, {world.rank()});
    EXPECT_EQ(group->size(), 1);
    group->barrier();
    const int mine = 7;
    int all = 0;
    group->all_gather(&mine, sizeof mine, &all, kTestSite);
    EXPECT_EQ(all, 7);
  });
}

TEST(Group, WrongMembersAreRefused) {
  const auto world = make_self_communicator();
  EXPECT_THAT([&] { make_group(*world, {}); }, ThrowsMessage<Error>(HasSubstr("not in its own group")));
  EXPECT_THAT([&] { make_group(*world, {0, 0}); }, ThrowsMessage<Error>(HasSubstr("twice")));
  EXPECT_THAT([&] { make_group(*world, {0, 1}); }, ThrowsMessage<Error>(HasSubstr("rank 1 of 1")));
}

}  // namespace
}  // namespace trireme
