#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "core/base/error.h"
#include "core/comm/communicator.h"
#include "core/comm/test_site.h"

namespace trireme {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(SelfCommunicator, CollectivesLeaveTheOneShareAsItIs) {
  const auto self = make_self_communicator();
  EXPECT_EQ(self->rank(), 0);
  EXPECT_EQ(self->size(), 1);
  std::int64_t mine = 5, all = 0;
  self->all_gather(&mine, sizeof mine, &all, kTestSite);
  EXPECT_EQ(all, 5);
  self->all_max(&mine, 1);
  self->broadcast(&mine, sizeof mine, 0, kTestSite);
  self->barrier();
  self->check();
  EXPECT_EQ(mine, 5);
  EXPECT_THAT(self->all_gather_text("alone"), ElementsAre("alone"));
}

TEST(SelfCommunicator, SendsPairWithReceivesByTagInOrder) {
  const auto self = make_self_communicator();
  const int out[] = {1, 2, 3};
  int in[3] = {};
  const auto a = self->start_send(&out[0], sizeof(int), 0, {kTestSite, 7});
  const auto b = self->start_send(&out[1], sizeof(int), 0, {kTestSite, 7});
  EXPECT_FALSE(a->done());
  const auto other = self->start_receive(&in[2], sizeof(int), 0, {kTestSite, 8});  // the receive may come first
  const auto c = self->start_send(&out[2], sizeof(int), 0, {kTestSite, 8});
  self->start_receive(&in[0], sizeof(int), 0, {kTestSite, 7})->wait();
  EXPECT_TRUE(a->done());
  EXPECT_FALSE(b->done());
  self->start_receive(&in[1], sizeof(int), 0, {kTestSite, 7})->wait();
  for (const auto& transfer : {&a, &b, &c, &other}) (*transfer)->wait();
  EXPECT_THAT(in, ElementsAre(1, 2, 3));
}

TEST(SelfCommunicator, RefusesAWaitThatWouldNeverEnd) {
  const auto self = make_self_communicator();
  int value = 0;
  const auto receive = self->start_receive(&value, sizeof value, 0, {kTestSite, 4});
  EXPECT_THAT([&] { receive->wait(); }, ThrowsMessage<Error>(HasSubstr("tag 4")));
}

TEST(SelfCommunicator, RefusesOtherRanksAndUnequalSizes) {
  const auto self = make_self_communicator();
  int value = 0;
  EXPECT_THAT([&] { self->start_send(&value, sizeof value, 1, {kTestSite, 0}); },
              ThrowsMessage<Error>(HasSubstr("rank 1")));
  EXPECT_THAT([&] { self->broadcast(&value, sizeof value, 2, kTestSite); }, ThrowsMessage<Error>(HasSubstr("rank 2")));
  const auto send = self->start_send(&value, sizeof value, 0, {kTestSite, 1});
  EXPECT_THAT([&] { self->start_receive(&value, 1, 0, {kTestSite, 1}); },
              ThrowsMessage<Error>(HasSubstr("sends 4 bytes")));
}

// A rank that is out of step: its lengths are not what texts have.
class OutOfStep final : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 2; }
  std::unique_ptr<Transfer> start_send(const void*, std::size_t, int, const Tag&) override { return nullptr; }
  std::unique_ptr<Transfer> start_receive(void*, std::size_t, int, const Tag&) override { return nullptr; }
  void barrier() override {}
  void broadcast(void*, std::size_t, int, const Site&) override {}
  void all_gather(const void*, std::size_t, void* all, const Site&) override {
    std::memcpy(all, lengths_.data(), lengths_.size() * sizeof lengths_[0]);
  }
  void all_max(std::int64_t*, std::size_t) override {}
  void check() override {}

 private:
  std::vector<std::uint64_t> lengths_ = {3, ~std::uint64_t{0}};
};

TEST(Communicator, GatheringTextsNamesTheRankWithAnImpossibleLength) {
  OutOfStep comm;
  EXPECT_THAT([&] { comm.all_gather_text("abc"); }, ThrowsMessage<Error>(HasSubstr("rank 1 announced")));
}

}  // namespace
}  // namespace trireme
