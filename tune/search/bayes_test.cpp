#include "tune/search/bayes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "core/base/error.h"
#include "tune/bayes/kernel_testing.h"
#include "tune/search/search.h"

namespace trireme::tune {
namespace {

using namespace testing;

// The best value after so many trials, `at_once` of them running at a time.
double best_of(Method& method, const std::function<double(const Point&)>& function, std::int64_t trials,
               std::int64_t at_once) {
  History history;
  double best = 1e300;
  for (std::int64_t trial = 0; trial < trials; ++trial) {
    const auto suggestion = method.suggest(history, trial);
    history.push_back({trial, suggestion->point, Outcome::kPending, {}, suggestion->note});
    if (trial + 1 < at_once) continue;
    Observation& oldest = history[static_cast<std::size_t>(trial + 1 - at_once)];
    const double value = function(oldest.point);
    oldest.outcome = std::isfinite(value) ? Outcome::kDone : Outcome::kFailed;
    if (std::isfinite(value)) oldest.values = {value}, best = std::min(best, value);
  }
  return best;
}

double best_after(const Space& space, const std::function<double(const Point&)>& function, std::int64_t trials,
                  std::uint64_t seed, std::int64_t at_once = 1) {
  return best_of(*make_bayes({space, seed, 1}), function, trials, at_once);
}

double bowl(const Point& point) {
  double sum = 0;
  for (std::size_t i = 0; i < point.size(); ++i) sum += std::pow(point[i] - 0.2 - 0.1 * static_cast<double>(i), 2);
  return sum;
}

TEST(Bayes, FindsTheBottomOfABowlInFewTrials) {
  for (std::uint64_t seed = 0; seed < 3; ++seed) EXPECT_LT(best_after(cube(4), bowl, 30, seed), 1e-3) << seed;
}

TEST(Bayes, FindsItWithManyTrialsRunningAtATime) {
  for (std::uint64_t seed = 0; seed < 3; ++seed) EXPECT_LT(best_after(cube(3), bowl, 50, seed, 8), 1e-3) << seed;
}

TEST(Bayes, FindsItWithAnyAcquisition) {
  for (const std::string& name : acquisition_names())
    for (const std::int64_t at_once : {1, 6}) {
      const Space space = cube(3);
      const auto method = make_bayes({space, 1, 1, name});
      EXPECT_LT(best_of(*method, bowl, 45, at_once), 3e-3) << name << " " << at_once;
    }
}

TEST(Bayes, EachAcquisitionSuggestsSomethingElse) {
  std::set<std::string> seen;
  for (const std::string& name : acquisition_names()) {
    Search search(cube(2), {"bayes", 1, 1, name});
    for (int trial = 0; trial < 9; ++trial) {
      const auto asked = search.ask();
      search.tell(asked->number, {std::pow(*value_number(asked->parameters[0].value) - 0.3, 2)});
    }
    seen.insert(value_text(search.ask()->parameters[0].value));
  }
  EXPECT_EQ(seen.size(), acquisition_names().size());
}

TEST(Bayes, SearchesOtherBranchesThanTheBestOnesWholeInManyDimensions) {
  // The best trial is of branch a, where what belongs to b is not there.
  std::vector<Dimension> dimensions = {choice("kind", {"a", "b"}), when(real("deep"), "kind", {"b"})};
  for (int i = 0; i < 31; ++i) dimensions.push_back(real("x" + std::to_string(i)));
  const Space space(dimensions);
  History history;
  std::int64_t of_b = 0;
  for (Point point : random_points(space, 120, 4)) {
    const bool is_b = space[0].level_of(point[0]) == 1;
    if (is_b && ++of_b > 6) continue;  // so few that it gets the next trial
    const auto trial = static_cast<std::int64_t>(history.size());
    // In branch b it is lower, the higher `deep` is: of trials up to a half, which is not yet as low as the best of a.
    point[1] *= 0.5;
    history.push_back({trial, point, Outcome::kDone, {is_b ? 2.5 - point[1] : trial < 3 ? 1.9 : 2.4}, ""});
  }
  while (history.size() % 3 != 0) history.pop_back();  // the next is one that stays in the region
  const auto trial = static_cast<std::int64_t>(history.size());
  const Point point = make_bayes({space, 1, 1})->suggest(history, trial)->point;
  EXPECT_EQ(space[0].level_of(point[0]), 1);
  EXPECT_GT(point[1], 0.5);
}

TEST(Bayes, RefusesAnAcquisitionThatItDoesNotKnowOrThatDoesNotTakeSeveralObjectives) {
  const Space space = cube(2);
  const auto refusal = [&](std::size_t objectives, const std::string& acquisition) -> std::string {
    try {
      make_bayes({space, 1, objectives, acquisition});
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(refusal(1, "thomson"),
            "unknown acquisition thomson; did you mean thompson?; there are log-ei, ucb, thompson");
  EXPECT_EQ(refusal(2, "ucb"), "acquisition ucb takes one objective, got 2; log-ei takes several");
  EXPECT_EQ(refusal(2, "log-ei"), "");
}

TEST(Bayes, InManyDimensionsMostTrialsStayNearTheBest) {
  // Everything gets better towards a far corner; but after 40 trials of its own that were not better the region is
  // smaller.
  constexpr int kDimensions = 30;
  const Space space = cube(kDimensions);
  std::vector<Point> points = random_points(space, 91, 4);
  History history;
  for (Point& point : points) {
    const auto trial = static_cast<std::int64_t>(history.size());
    for (double& x : point) x = trial == 1 ? 0.5 : 0.5 + 0.5 * x;
    const double mean = std::accumulate(point.begin(), point.end(), 0.0) / kDimensions;
    history.push_back({trial, point, Outcome::kDone, {mean}, ""});
  }
  const auto method = make_bayes({space, 1, 1});
  const auto distance = [&](std::int64_t trial) {
    const Point point = method->suggest(history, trial)->point;
    double sum = 0;
    for (const double x : point) sum += std::log(std::abs(x - 0.5) + 1e-9);
    return std::exp(sum / kDimensions);
  };
  EXPECT_LE(distance(91), 0.21);  // half of 0.8 / 2
  EXPECT_GT(distance(92), 0.3);   // this one looks everywhere
  EXPECT_LE(distance(93), 0.21);
}

TEST(Bayes, BeginsInTheMiddle) {
  const Space space = branches();
  const auto suggestion = make_bayes({space, 1, 1})->suggest({}, 0);
  EXPECT_EQ(space.key(suggestion->point), space.key(space.snap(Point(space.size(), 0.5))));
}

TEST(Bayes, KnowsItsPointsAgainFromTheParametersThatAStudyKeeps) {
  Dimension rate = real("rate", 1e-3, 3e-2);
  rate.scale = Dimension::Scale::kLog;
  const Space space({rate, real("x", -7, 11)});
  const auto method = make_bayes({space, 2, 1});
  History history;
  std::set<std::string> seen;
  for (std::int64_t trial = 0; trial < 8; ++trial) {
    const Parameters parameters = space.parameters(method->suggest(history, trial)->point);
    EXPECT_TRUE(seen.insert(value_text(parameters[0].value) + " " + value_text(parameters[1].value)).second) << trial;
    history.push_back({trial, space.point(parameters), Outcome::kDone, {1.0 + static_cast<double>(trial % 3)}, ""});
  }
}

TEST(Bayes, LearnsWhereTrialsFail) {
  // Every trial in half of the space crashes, and the bottom lies on the border of that half.
  const Space space = cube(4);
  const auto value_at = [](const Point& x) { return bowl(x) + 0.05 * std::sin(20 * x[1]) * std::sin(20 * x[2]); };
  const auto method = make_bayes({space, 3, 1});
  History history;
  int failed = 0;
  double best = 1e300;
  for (std::int64_t trial = 0; trial < 50; ++trial) {
    const Point point = method->suggest(history, trial)->point;
    if (point[3] > 0.5) {
      history.push_back({trial, point, Outcome::kFailed, {}, ""});
      failed += trial >= 10;
    } else {
      history.push_back({trial, point, Outcome::kDone, {value_at(point)}, ""});
      best = std::min(best, value_at(point));
    }
  }
  EXPECT_LT(best, 0);
  EXPECT_LE(failed, 22);  // the border itself has to be found, which takes failures
}

TEST(Bayes, FindsTheBestBranch) {
  const Space space = branches();
  const auto function = [&](const Point& x) {
    const std::int64_t branch = space[1].level_of(x[1]);
    const double own = branch == 0   ? 0.3 + std::pow(x[2] - 0.5, 2)
                       : branch == 1 ? 4 * std::pow(x[3] - 0.8, 2) + 4 * std::pow(x[4] - 0.2, 2)
                                     : 0.4;
    return own + std::pow(x[0] - 0.6, 2);
  };
  for (std::uint64_t seed = 0; seed < 3; ++seed) EXPECT_LT(best_after(space, function, 45, seed), 0.05) << seed;
}

TEST(Bayes, FindsTheFrontOfSeveralObjectives) {
  EXPECT_LT(gap_to_front("bayes", 40), 0.15 * gap_to_front("random", 40));
  EXPECT_THROW(make_bayes({.space = mixed_space(), .seed = 1, .objectives = 7}), Error);
}

TEST(Bayes, TakesSeveralObjectivesWithWhatElseTrialsCome) {
  const Space space = mixed_space();
  for (const std::size_t objectives : {2, 3, 6}) {
    Bayes method({.space = space, .seed = 3, .objectives = objectives});
    History history;
    for (std::int64_t trial = 0; trial < 25; ++trial) {
      const auto suggestion = method.suggest(history, trial);
      ASSERT_TRUE(suggestion);
      EXPECT_TRUE(space.is_feasible(suggestion->point));
      history.push_back({.trial = trial, .point = suggestion->point, .note = suggestion->note});
      if (trial % 8 == 2) history.back().outcome = Outcome::kFailed;
      if (trial % 8 == 2 || trial % 8 == 5) continue;  // what comes late stays pending
      history.back().outcome = Outcome::kDone;
      for (std::size_t m = 0; m < objectives; ++m)
        history.back().values.push_back(
            trial % 6 == 0 ? 1e30 : std::pow(suggestion->point[m % 3] - 0.1 * static_cast<double>(m), 2));
    }
  }
}

TEST(Bayes, ProposesNoPointTwiceAndEndsWithTheSpace) {
  const Space space({integer("n", 1, 4), choice("c", {"x", "y", "z"})});
  const auto method = make_bayes({space, 5, 1});
  History history;
  std::set<std::string> seen;
  for (std::int64_t trial = 0; trial < 12; ++trial) {
    const auto suggestion = method->suggest(history, trial);
    ASSERT_TRUE(suggestion);
    EXPECT_TRUE(seen.insert(space.key(suggestion->point)).second);
    history.push_back({trial, suggestion->point, Outcome::kDone, {suggestion->point[0]}, ""});
  }
  EXPECT_FALSE(method->suggest(history, 12));
}

TEST(Bayes, TrialsThatRunTogetherAreDifferent) {
  const Space space = cube(3);
  const auto method = make_bayes({space, 6, 1});
  History history;
  for (std::int64_t trial = 0; trial < 10; ++trial) {
    const Point point = method->suggest(history, trial)->point;
    history.push_back({trial, point, Outcome::kDone, {bowl(point)}, ""});
  }
  for (std::int64_t trial = 10; trial < 26; ++trial)
    history.push_back({trial, method->suggest(history, trial)->point, Outcome::kPending, {}, ""});
  for (std::size_t i = 10; i < 26; ++i)
    for (std::size_t j = 10; j < i; ++j) {
      double distance = 0;
      for (std::size_t d = 0; d < 3; ++d) distance += std::pow(history[i].point[d] - history[j].point[d], 2);
      EXPECT_GT(std::sqrt(distance), 1e-3) << i << " " << j;
    }
}

TEST(Bayes, HardHistoriesNeverFail) {
  for (const auto& [space, first] : {std::pair(branches(), 0), std::pair(cube(30), 38)})
    for (const std::string& acquisition : acquisition_names()) {
      const auto method = make_bayes({space, 7, 1, acquisition});
      const std::vector<Point> before = random_points(space, static_cast<std::size_t>(first), 3);
      for (const double odd : {0.0, 1e30, -1e308, 1e-300}) {
        History history;
        for (std::int64_t trial = 0; trial < std::max(25, first + 2); ++trial) {
          const Point point =
              trial < first ? before[static_cast<std::size_t>(trial)] : method->suggest(history, trial)->point;
          const bool fails = trial % 9 == 8;
          history.push_back({trial, point, fails ? Outcome::kFailed : Outcome::kDone, {}, ""});
          if (!fails) history.back().values = {trial % 7 == 3 ? odd : 1.0};
        }
        EXPECT_TRUE(method->suggest(history, static_cast<std::int64_t>(history.size())));
      }
    }
}

TEST(Bayes, TakesAThousandTrialsAndMore) {
  const Space space = cube(4);
  History history;
  const auto points = random_points(space, 1200, 8);
  for (std::size_t i = 0; i < points.size(); ++i)
    history.push_back({static_cast<std::int64_t>(i), points[i], Outcome::kDone, {bowl(points[i])}, ""});
  const auto suggestion = make_bayes({space, 8, 1})->suggest(history, 1200);
  ASSERT_TRUE(suggestion);
  EXPECT_LT(bowl(suggestion->point), 0.02);
}

TEST(Bayes, TakesAThousandTrialsAndMoreOfTwoObjectives) {
  // The front is a diagonal, and of the trials only a few reached near it.
  const Space space = cube(2);
  const auto off_front = [](const Point& x) { return std::abs(x[0] - x[1]); };
  History history;
  for (const Point& x : random_points(space, 1500, 8)) {
    if (history.size() >= 100 && off_front(x) < 0.1) continue;
    std::vector<double> values{std::pow(x[0], 2) + std::pow(x[1], 2), std::pow(x[0] - 1, 2) + std::pow(x[1] - 1, 2)};
    history.push_back({static_cast<std::int64_t>(history.size()), x, Outcome::kDone, std::move(values), ""});
  }
  ASSERT_GT(history.size(), 1100U);
  const auto trial = static_cast<std::int64_t>(history.size());
  const auto suggestion = make_bayes({space, 8, 2})->suggest(history, trial);
  ASSERT_TRUE(suggestion);
  EXPECT_LT(off_front(suggestion->point), 0.03);
}

}  // namespace
}  // namespace trireme::tune
