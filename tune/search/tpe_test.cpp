#include "tune/search/tpe.h"

#include <gmock/gmock.h>

#include "core/base/random.h"
#include "tune/search/search_testing.h"

namespace trireme::tune {
namespace {

using namespace testing;

// The mean distance of what is proposed for trials 100 to 149 from a place.
double distance_from(double place, const Space& space, const History& history) {
  const auto tpe = make_tpe({space, 3});
  double sum = 0;
  for (std::int64_t trial = 100; trial < 150; ++trial) sum += std::abs(tpe->suggest(history, trial)->point[0] - place);
  return sum / 50;
}

TEST(Tpe, FindsASphereFarBetterThanRandomDraws) {
  EXPECT_LT(median_best_on_sphere("tpe"), 0.2 * median_best_on_sphere("random"));
}

TEST(Tpe, SpreadsOverTheFrontOfTwoObjectives) {
  EXPECT_LT(gap_to_front("tpe", 100), 0.5 * gap_to_front("random", 100));
}

TEST(Tpe, StaysAwayFromPendingTrials) {
  const Space space({real("x", 0, 1)});
  History history;
  for (int i = 0; i < 20; ++i) history.push_back(done(i, {(i + 0.5) / 20}, {std::abs(i - 9.5)}));
  const double alone = distance_from(0.5, space, history);
  for (int i = 20; i < 32; ++i) history.push_back({.trial = i, .point = {0.5}});
  EXPECT_GT(distance_from(0.5, space, history), 1.5 * alone);
}

TEST(Tpe, StaysAwayFromWhereTrialsFailed) {
  const Space space({real("x", 0, 1)});
  History history;
  for (int i = 0; i < 20; ++i) history.push_back({.trial = i, .point = {i / 40.0}, .outcome = Outcome::kFailed});
  EXPECT_GT(distance_from(0, space, history), 0.6) << "at random it would be 0.5";
}

TEST(Tpe, ComesToTheBetterBranchAndToItsOwnOptimum) {
  const std::string best = "adam";
  Search search(Space({choice("optimizer", {std::string("sgd"), best}),
                       when(real("momentum", 0, 1), "optimizer", {std::string("sgd")}),
                       when(real("beta", 0, 1), "optimizer", {best})}),
                {.method = "tpe", .seed = 4});
  int adams = 0;
  double off = 0;
  for (int i = 0; i < 60; ++i) {
    const auto trial = search.ask();
    const bool adam = same_value(trial->parameters[0].value, best);
    const double distance = std::abs(*value_number(trial->parameters[1].value) - 0.7);
    search.tell(trial->number, {(adam ? 0 : 0.3) + distance});
    if (i < 40 || !adam) continue;
    ++adams;
    off += distance;
  }
  EXPECT_GE(adams, 14);
  EXPECT_LT(off / adams, 0.1) << "at random it would be 0.29";
}

TEST(Tpe, KnowsThatParametersDependOnOneAnother) {
  // Good is what lies close to the diagonal: each parameter alone says nothing.
  const Space space({real("x", 0, 1), real("y", 0, 1)});
  const RandomStream random(1, "tpe_test");
  History history;
  for (int i = 0; i < 200; ++i) {
    const Point point = {random.uniform(i, 0), random.uniform(i, 1)};
    history.push_back(done(i, point, {std::abs(point[0] - point[1])}));
  }
  const auto tpe = make_tpe({space, 3});
  double sum = 0;
  for (std::int64_t trial = 200; trial < 250; ++trial) {
    const Point point = tpe->suggest(history, trial)->point;
    sum += std::abs(point[0] - point[1]);
  }
  EXPECT_LT(sum / 50, 0.15) << "at random it would be 0.33";
}

}  // namespace
}  // namespace trireme::tune
