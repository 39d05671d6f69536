#include "tune/search/ranking.h"

#include <gmock/gmock.h>

#include "tune/search/search_testing.h"

namespace trireme::tune {
namespace {

using namespace testing;
using ::testing::ElementsAre;

TEST(BestFirst, GoesByValueThenByNumberAndPutsWhatHasNoValueLast) {
  History history = {done(0, {}, {3}), done(1, {}, {-1e30}), {.trial = 2}, {.trial = 3},
                     done(4, {}, {1}), done(5, {}, {3}),     {.trial = 6}, done(7, {}, {3})};
  history[3].outcome = Outcome::kFailed;
  history[6].outcome = Outcome::kInfeasible;
  EXPECT_THAT(best_first(history), ElementsAre(1, 4, 0, 5, 7, 3, 6)) << "a pending trial has no place";
  EXPECT_THAT(best_first(history, {7, 3, 4}), ElementsAre(4, 7, 3));
}

TEST(BestFirst, GoesByDominationThenByLoneliness) {
  const History history = {done(0, {}, {20, 20}), done(1, {}, {1, 6}),  done(2, {}, {10, 0}),
                           done(3, {}, {4, 5}),   done(4, {}, {0, 10}), done(5, {}, {12, 1})};
  EXPECT_THAT(best_first(history), ElementsAre(2, 4, 3, 1, 5, 0));
}

}  // namespace
}  // namespace trireme::tune
