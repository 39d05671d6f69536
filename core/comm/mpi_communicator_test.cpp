#include "core/comm/mpi_communicator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trireme {
namespace {

using testing::ElementsAre;

TEST(MessageSizes, CutWhatAnIntCannotCount) {
  EXPECT_THAT(message_sizes(0, 4), ElementsAre(0));  // no bytes still pair with a receive
  EXPECT_THAT(message_sizes(3, 4), ElementsAre(3));
  EXPECT_THAT(message_sizes(4, 4), ElementsAre(4));
  EXPECT_THAT(message_sizes(5, 4), ElementsAre(4, 1));
  EXPECT_THAT(message_sizes(12, 4), ElementsAre(4, 4, 4));
}

TEST(DecisiveEnding, IsTheLowestRanksOwnErrorBeforeAnyConsequence) {
  const Ending lost0{75, false, 0, "rank 3 is lost"}, lost2{75, false, 2, "rank 3 is lost"};
  const Ending own1{2, true, 1, "unknown key"}, own2{1, true, 2, "damaged"};
  EXPECT_EQ(decisive({lost0, own1, own2}).rank, 1);
  EXPECT_EQ(decisive({lost0, own2}).status, 1);
  EXPECT_EQ(decisive({lost0, lost2}).rank, 0);
  EXPECT_EQ(decisive({lost0, lost2}).status, 75);
}

}  // namespace
}  // namespace trireme
