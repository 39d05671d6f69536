#include "core/comm/probed_communicator.h"

#include <gmock/gmock.h>

#include <numeric>

#include "core/base/error.h"
#include "core/comm/test_site.h"
#include "core/comm/thread_communicator.h"

namespace trireme {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

const Site kNumbers("numbers", Site::Numbers::kCompute, 0, 10);
using Kind = PlantedFault::Kind;

// What rank 0 of four has from each of the others, who send ten times their rank, and what it gathers of all.
struct Got {
  std::vector<float> received, gathered;
};
Got with_fault(std::optional<PlantedFault> fault) {
  Got got;
  run_on_threads(4, [&](Communicator& world) {
    ProbedCommunicator probed(world, 10s, fault, [] { return sizeof(float); });
    const float mine = 10.0F * static_cast<float>(world.rank());
    std::vector<float> received(4, -1), gathered(4);
    std::vector<std::unique_ptr<Transfer>> transfers;
    for (int peer = 0; peer < 4; ++peer) {
      if (peer == world.rank()) continue;
      transfers.push_back(
          probed.start_receive(&received[static_cast<std::size_t>(peer)], sizeof mine, peer, {kNumbers, 3}));
      transfers.push_back(probed.start_send(&mine, sizeof mine, peer, {kNumbers, 3}));
    }
    for (const auto& transfer : transfers) transfer->wait();
    probed.all_gather(&mine, sizeof mine, gathered.data(), kNumbers);
    std::int64_t most = world.rank();
    probed.all_max(&most, 1);
    probed.broadcast(&most, sizeof most, 2, kTestSite);
    probed.barrier();
    EXPECT_EQ(most, 3);  // another site
    EXPECT_EQ(probed.has_struck(), fault.has_value());
    if (world.rank() == 0) got = {received, gathered};
  });
  return got;
}

TEST(ProbedCommunicator, IsAsTheOtherWithoutAFault) {
  const Got got = with_fault({});
  EXPECT_THAT(got.received, ElementsAre(-1, 10, 20, 30));
  EXPECT_THAT(got.gathered, ElementsAre(0, 10, 20, 30));
}

TEST(ProbedCommunicator, PlantsFaults) {
  const Got skipped = with_fault(PlantedFault{&kNumbers, Kind::kSkip});
  EXPECT_THAT(skipped.received, ElementsAre(-1, -1, -1, -1));
  EXPECT_THAT(skipped.gathered, ElementsAre(0, 0, 0, 0));
  const Got twice = with_fault(PlantedFault{&kNumbers, Kind::kTwice});
  EXPECT_THAT(twice.received, ElementsAre(-1, 20, 40, 60));
  EXPECT_NE(twice.gathered, (std::vector<float>{0, 10, 20, 30}));
  const Got wrong = with_fault(PlantedFault{&kNumbers, Kind::kWrongGroup});
  EXPECT_THAT(wrong.received, ElementsAre(-1, 30, 10, 20));
  EXPECT_NE(wrong.gathered, (std::vector<float>{0, 10, 20, 30}));
}

TEST(ProbedCommunicator, CountsBfloat16Twice) {
  run_on_threads(2, [](Communicator& world) {
    ProbedCommunicator probed(world, 10s, PlantedFault{&kNumbers, Kind::kTwice}, [] { return std::size_t{2}; });
    const std::uint16_t out = 0x3fc0;  // 1.5
    std::uint16_t in = 0;
    const auto receive = probed.start_receive(&in, sizeof in, 1 - world.rank(), kNumbers);
    const auto send = probed.start_send(&out, sizeof out, 1 - world.rank(), kNumbers);
    receive->wait();
    EXPECT_EQ(in, 0x4040);  // 3
  });
}

TEST(ProbedCommunicator, EndsAWaitThatWouldNotEnd) {
  EXPECT_THAT(
      [] {
        run_on_threads(2, [](Communicator& world) {
          ProbedCommunicator probed(world, 50ms);
          float in = 0;
          if (world.rank() == 0)
            probed.start_receive(&in, sizeof in, 1, {kNumbers, 3})->wait();
          else
            probed.barrier();
        });
      },
      ThrowsMessage<Error>(HasSubstr("has not been done for 0.05 s")));
}

TEST(Site, ListsThoseThatCarryNumbersAndRefusesTagsBeyondItsOwn) {
  const std::vector<const Site*> all = Site::all();
  EXPECT_EQ(std::ranges::count(all, &kNumbers), 1);
  EXPECT_EQ(std::ranges::count(all, &kTestSite), 0);
  EXPECT_EQ(std::ranges::count(all, &kControl), 0);
  EXPECT_THAT([] { Tag(kNumbers, 10); }, ThrowsMessage<Error>(HasSubstr("message 10 of numbers")));
}

}  // namespace
}  // namespace trireme
