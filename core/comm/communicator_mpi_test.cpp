#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <numeric>

#include "core/comm/mpi_test.h"
#include "core/comm/test_site.h"

namespace trireme {
namespace {

using testing::Each;

int rank() { return test_world().rank(); }
int size() { return test_world().size(); }
std::size_t ranks() { return static_cast<std::size_t>(size()); }

// What rank r sends in a test: bytes that tell rank and position apart.
std::vector<std::uint8_t> pattern(int r, std::size_t bytes) {
  std::vector<std::uint8_t> made(bytes);
  for (std::size_t i = 0; i < bytes; ++i) made[i] = static_cast<std::uint8_t>(31 * r + static_cast<int>(i % 251));
  return made;
}

TEST(MpiCommunicator, GathersSharesOfAnySizeInRankOrder) {
  // Both ways of gathering, their border, and shares that MPI sends in one go or in pieces.
  for (const std::size_t bytes : {0UL, 1UL, 8UL, 1000UL, 16384UL, 16385UL, 300000UL}) {
    const auto mine = pattern(rank(), bytes);
    std::vector<std::uint8_t> all(bytes * ranks(), 0xEE), expected;
    test_world().all_gather(mine.data(), bytes, all.data(), kTestSite);
    for (int r = 0; r < size(); ++r) {
      const auto theirs = pattern(r, bytes);
      expected.insert(expected.end(), theirs.begin(), theirs.end());
    }
    EXPECT_TRUE(all == expected) << bytes << " bytes a rank";
  }
}

TEST(MpiCommunicator, GathersFromARanksOwnSlot) {
  std::vector<std::int32_t> all(ranks(), -1);
  all[static_cast<std::size_t>(rank())] = rank() * rank();
  test_world().all_gather(&all[static_cast<std::size_t>(rank())], sizeof(std::int32_t), all.data(), kTestSite);
  for (int r = 0; r < size(); ++r) EXPECT_EQ(all[static_cast<std::size_t>(r)], r * r);
}

TEST(MpiCommunicator, BroadcastsFromEveryRoot) {
  for (int root = 0; root < size(); ++root) {
    for (const std::size_t bytes : {0UL, 5UL, 200000UL}) {
      const auto sent = pattern(root, bytes);
      auto got = rank() == root ? sent : std::vector<std::uint8_t>(bytes, 0xEE);
      test_world().broadcast(got.data(), bytes, root, kTestSite);
      EXPECT_TRUE(got == sent) << bytes << " bytes from rank " << root;
    }
  }
}

TEST(MpiCommunicator, MaximumIsTakenElementByElement) {
  std::vector<std::int64_t> values(10000);  // more than one block
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] =
        static_cast<int>(i % ranks()) == rank() ? static_cast<std::int64_t>(i) : -static_cast<std::int64_t>(i) - 1;
  test_world().all_max(values.data(), values.size());
  std::vector<std::int64_t> expected(values.size());
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_TRUE(values == expected);

  std::int64_t lowest = std::numeric_limits<std::int64_t>::min();
  test_world().all_max(&lowest, 1);
  EXPECT_EQ(lowest, std::numeric_limits<std::int64_t>::min());
}

TEST(MpiCommunicator, NoRankPassesABarrierBeforeAllHaveCome) {
  for (int round = 0; round < 50; ++round) {
    // Ranks reach the barrier in turn; whoever passes it finds the flag of the last one on its way.
    const int last = round % size();
    std::int32_t flag = 0;
    std::unique_ptr<Transfer> receive;
    if (rank() != last) receive = test_world().start_receive(&flag, sizeof flag, last, {kTestSite, 5});
    const std::int32_t sent = round + 1;
    std::vector<std::unique_ptr<Transfer>> sends;
    for (int r = 0; rank() == last && r < size(); ++r) {
      if (r != last) sends.push_back(test_world().start_send(&sent, sizeof sent, r, {kTestSite, 5}));
    }
    test_world().barrier();
    for (const auto& send : sends) send->wait();
    if (receive) {
      receive->wait();
      EXPECT_EQ(flag, round + 1);
    }
  }
}

TEST(MpiCommunicator, TransfersPairUpByTagInTheOrderOfTheirStart) {
  const int to = (rank() + 1) % size(), from = (rank() + size() - 1) % size();
  std::int32_t first = 0, second = 0, other = 0;
  const auto other_in = test_world().start_receive(&other, sizeof other, from, {kTestSite, 32000});
  const auto first_in = test_world().start_receive(&first, sizeof first, from, {kTestSite, 0});
  const auto second_in = test_world().start_receive(&second, sizeof second, from, {kTestSite, 0});
  const std::int32_t out[] = {10 + rank(), 20 + rank(), 30 + rank()};
  const auto a = test_world().start_send(&out[0], sizeof(std::int32_t), to, {kTestSite, 0});
  const auto b = test_world().start_send(&out[1], sizeof(std::int32_t), to, {kTestSite, 0});
  const auto c = test_world().start_send(&out[2], sizeof(std::int32_t), to, {kTestSite, 32000});
  for (const auto& transfer : {&other_in, &second_in, &first_in, &a, &b, &c}) (*transfer)->wait();
  EXPECT_EQ(first, 10 + from);
  EXPECT_EQ(second, 20 + from);
  EXPECT_EQ(other, 30 + from);
}

TEST(MpiCommunicator, DoneTurnsTrueWithoutWaiting) {
  const int to = (rank() + 1) % size(), from = (rank() + size() - 1) % size();
  const auto sent = pattern(rank(), 1 << 20);
  std::vector<std::uint8_t> got(sent.size());
  const auto receive = test_world().start_receive(got.data(), got.size(), from, {kTestSite, 1});
  const auto send = test_world().start_send(sent.data(), sent.size(), to, {kTestSite, 1});
  while (!(receive->done() & send->done())) {
  }
  EXPECT_TRUE(receive->done());
  EXPECT_TRUE(got == pattern(from, got.size()));
}

TEST(MpiCommunicator, ReachesItself) {
  const std::int32_t out = 42;
  std::int32_t in = 0;
  const auto receive = test_world().start_receive(&in, sizeof in, rank(), {kTestSite, 3});
  const auto send = test_world().start_send(&out, sizeof out, rank(), {kTestSite, 3});
  send->wait();
  receive->wait();
  EXPECT_EQ(in, 42);
}

TEST(MpiCommunicator, GathersTextsOfDifferentLengths) {
  const auto text = [](int r) { return r == 1 ? std::string() : std::string(static_cast<std::size_t>(r) * 7, 'a'); };
  const auto all = test_world().all_gather_text(text(rank()));
  ASSERT_EQ(all.size(), ranks());
  for (int r = 0; r < size(); ++r) EXPECT_EQ(all[static_cast<std::size_t>(r)], text(r));
  EXPECT_THAT(test_world().all_gather_text(""), Each(""));
}

TEST(MpiCommunicator, CheckIsQuietWhileAllIsWell) { EXPECT_NO_THROW(test_world().check()); }

}  // namespace
}  // namespace trireme
