#include "core/comm/thread_communicator.h"

#include <gmock/gmock.h>

#include <array>

#include "core/comm/test_site.h"

namespace trireme {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(ThreadCommunicator, CollectivesGiveEveryRankTheSame) {
  run_on_threads(5, [](Communicator& world) {
    for (int repeat = 0; repeat < 200; ++repeat) {
      int value = world.rank() == 3 ? 40 + repeat : -1;
      world.broadcast(&value, sizeof value, 3, kTestSite);
      ASSERT_EQ(value, 40 + repeat);
      std::array<std::int64_t, 2> most{world.rank() + repeat, -world.rank()};
      world.all_max(most.data(), most.size());
      ASSERT_THAT(most, ElementsAre(4 + repeat, 0));
      const auto texts = world.all_gather_text(std::string(static_cast<std::size_t>(world.rank()), 'x'));
      ASSERT_THAT(texts, ElementsAre("", "x", "xx", "xxx", "xxxx"));
      world.barrier();
    }
  });
}

TEST(ThreadCommunicator, PairsMessagesInTheOrderInWhichTheyWereStarted) {
  run_on_threads(2, [](Communicator& world) {
    const std::array<int, 3> sent{1, 2, 3};
    std::array<int, 3> received{};
    std::vector<std::unique_ptr<Transfer>> transfers;
    for (std::size_t i = 0; i < 3; ++i) {
      const int tag = i == 1 ? 7 : 5;
      transfers.push_back(world.start_receive(&received[i], sizeof(int), 1 - world.rank(), {kTestSite, tag}));
      transfers.push_back(world.start_send(&sent[i], sizeof(int), 1 - world.rank(), {kTestSite, tag}));
    }
    while (!transfers.empty()) {  // waited for backwards
      transfers.back()->wait();
      EXPECT_TRUE(transfers.back()->done());
      transfers.pop_back();
    }
    EXPECT_EQ(received, sent);
  });
}

TEST(ThreadCommunicator, ABodyThatThrowsIsALostRank) {
  std::mutex mutex;
  std::vector<std::string> messages;
  const auto body = [&](Communicator& world) {
    if (world.rank() == 1) throw std::runtime_error("mine");
    try {
      world.barrier();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kPeerLost);
      EXPECT_THROW(world.check(), Error);
      const std::scoped_lock lock(mutex);
      messages.emplace_back(error.what());
    }
  };
  EXPECT_THROW(run_on_threads(3, body), std::runtime_error);
  EXPECT_THAT(messages, testing::Each(HasSubstr("rank 1 is lost, noticed in barrier")));
  EXPECT_EQ(messages.size(), 2U);
}

}  // namespace
}  // namespace trireme
