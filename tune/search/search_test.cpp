#include "tune/search/search.h"

#include <gmock/gmock.h>

#include <limits>

#include "core/base/error.h"
#include "tune/search/search_testing.h"

namespace trireme::tune {
namespace {

using namespace testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(Search, IsToldInAnyOrder) {
  Search search(Space({integer("layers", 1, 3)}), {.method = "grid"});
  for (std::int64_t i = 0; i < 3; ++i) EXPECT_EQ(search.ask()->number, i);
  EXPECT_FALSE(search.ask());
  search.tell(2, {4});
  search.tell(0, Outcome::kInfeasible);
  EXPECT_EQ(search.history()[0].outcome, Outcome::kInfeasible);
  EXPECT_EQ(search.history()[1].outcome, Outcome::kPending);
  EXPECT_EQ(search.history()[2].outcome, Outcome::kDone);
  EXPECT_THAT(search.history()[2].values, ElementsAre(4));
}

TEST(Search, TakesAValueThatIsNotFiniteForAFailure) {
  Search search(Space({integer("layers", 1, 3)}), {.method = "grid", .objectives = 2});
  search.ask();
  search.ask();
  search.tell(0, {1, std::numeric_limits<double>::quiet_NaN()});
  search.tell(1, {-std::numeric_limits<double>::infinity(), 1});
  for (const Observation& observation : search.history()) {
    EXPECT_EQ(observation.outcome, Outcome::kFailed);
    EXPECT_TRUE(observation.values.empty());
  }
}

TEST(Search, RefusesWhatItCannotBeTold) {
  Search search(Space({integer("layers", 1, 3)}), {.method = "random"});
  search.ask();
  EXPECT_THAT([&] { search.tell(1, {1}); }, ThrowsMessage<Error>(HasSubstr("no trial 1")));
  EXPECT_THAT([&] { search.tell(-1, {1}); }, ThrowsMessage<Error>(HasSubstr("no trial -1")));
  EXPECT_THAT([&] { search.tell(0, {1, 2}); }, ThrowsMessage<Error>(HasSubstr("1 value, got 2")));
  EXPECT_THAT([&] { search.tell(0, Outcome::kDone); }, ThrowsMessage<Error>(HasSubstr("without values")));
  search.tell(0, {1});
  EXPECT_THAT([&] { search.tell(0, {1}); }, ThrowsMessage<Error>(HasSubstr("told before")));
}

}  // namespace
}  // namespace trireme::tune
