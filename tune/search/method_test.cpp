// What method.h promises, of every method.
#include "tune/search/method.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "core/base/error.h"
#include "tune/search/registry.h"
#include "tune/search/search_testing.h"

namespace trireme::tune {
namespace {

using namespace testing;
using Result = std::function<void(Observation&)>;

// Adds a trial, if there is one left, and what came of it.
bool try_one(Method& method, History& history, const Result& result) {
  const auto trial = static_cast<std::int64_t>(history.size());
  const auto suggestion = method.suggest(history, trial);
  if (!suggestion) return false;
  history.push_back({.trial = trial, .point = suggestion->point, .note = suggestion->note});
  result(history.back());
  return true;
}

// A value that all positions count in.
double value_of(const Point& point) {
  double sum = 0;
  for (const double position : point) sum += std::isnan(position) ? 0.1 : (position - 0.3) * (position - 0.3);
  return sum;
}

void done_with_value(Observation& observation) {
  observation.outcome = Outcome::kDone;
  observation.values = {value_of(observation.point)};
}

// Some of everything; what comes in late stays pending for ever.
void anything(Observation& observation) {
  switch (observation.trial % 8) {
    case 2:
      observation.outcome = Outcome::kFailed;
      break;
    case 5:
      observation.outcome = Outcome::kInfeasible;
      break;
    case 7:
      break;
    default:
      done_with_value(observation);
  }
}

class EachMethod : public ::testing::TestWithParam<std::string> {
 protected:
  static std::unique_ptr<Method> make(const Space& space, std::uint64_t seed = 1, std::size_t objectives = 1) {
    return make_method(GetParam(), {space, seed, objectives});
  }
  static bool is_grid() { return GetParam() == "grid"; }
  // The richest space that the method takes.
  static Space rich_space() { return is_grid() ? finite_space() : mixed_space(); }
};

std::string name_of(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::erase(name, '-');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Methods, EachMethod, ::testing::ValuesIn(method_names()), name_of);

TEST_P(EachMethod, GivesTheSameWithoutItsMemory) {
  const Space space = rich_space();
  const auto method = make(space);
  History history;
  for (int i = 0; i < 30; ++i) {
    if (i == 4) {  // enqueued by somebody
      history.push_back(done(i, space.snap(Point(space.size(), 0.4)), {0.2}));
      continue;
    }
    const auto again = make(space)->suggest(history, i);
    ASSERT_TRUE(try_one(*method, history, anything));
    EXPECT_EQ(space.key(again->point), space.key(history.back().point)) << "trial " << i;
    EXPECT_EQ(again->note, history.back().note) << "trial " << i;
  }
}

TEST_P(EachMethod, GivesTheSameForAnOlderHistory) {
  const Space space = rich_space();
  const auto method = make(space);
  History history;
  for (int i = 0; i < 25; ++i) try_one(*method, history, anything);
  for (const std::size_t count : {20u, 3u, 14u}) {
    const auto suggestion =
        method->suggest(History(history.begin(), history.begin() + count), static_cast<std::int64_t>(count));
    EXPECT_EQ(space.key(suggestion->point), space.key(history[count].point)) << count;
    EXPECT_EQ(suggestion->note, history[count].note) << count;
  }
}

// A grid has no chance in it.
class EachMethodWithChance : public EachMethod {};
INSTANTIATE_TEST_SUITE_P(Methods, EachMethodWithChance,
                         ::testing::Values("random", "qmc", "bayes", "tpe", "cma-es", "evolution"), name_of);

TEST_P(EachMethodWithChance, IsAnotherSearchForAnotherSeed) {
  const Space space = mixed_space();
  const auto one = make(space, 1), two = make(space, 2);
  History history;
  std::size_t same = 0;
  for (int i = 0; i < 16; ++i) {
    const auto other = two->suggest(history, i);
    try_one(*one, history, done_with_value);
    same += space.key(other->point) == space.key(history.back().point);
  }
  EXPECT_LT(same, 2u);
}

TEST_P(EachMethod, ProposesPointsOfTheSpaceThatObeyTheConstraints) {
  const Space space = rich_space();
  const auto method = make(space);
  History history;
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(try_one(*method, history, anything));
    const Point& point = history.back().point;
    EXPECT_TRUE(space.is_feasible(point)) << "trial " << i;
    EXPECT_EQ(space.key(space.snap(point)), space.key(point)) << "trial " << i;
  }
}

TEST_P(EachMethod, TriesEachPointOfAFiniteSpaceOnceAndEnds) {
  const Space space = finite_space();
  std::set<std::string> all;
  space.for_each_point([&](const Point& point) { return all.insert(space.key(point)).second; });
  ASSERT_EQ(all.size(), 30u);
  for (const Result& result : {Result(anything), Result([](Observation&) {})}) {
    const auto method = make(space);
    History history = {done(0, space.snap(Point(space.size(), 0.4)), {0.2})};
    std::set<std::string> tried = {space.key(history[0].point)};
    while (try_one(*method, history, result))
      ASSERT_TRUE(tried.insert(space.key(history.back().point)).second)
          << "trial " << history.size() - 1 << " is not new";
    EXPECT_EQ(tried, all);
  }
}

TEST_P(EachMethodWithChance, TriesNoPointOfDiscreteValuesWithoutAnEndTwice) {
  Dimension x = real("x", 0, 1);
  x.scale = Dimension::Scale::kNormal;
  x.step = 1;
  x.deviation = 3;
  const Space space({x, choice("kind", {"a", "b"})});
  const auto method = make(space);
  History history;
  std::set<std::string> tried;
  for (int i = 0; i < 24; ++i) {
    ASSERT_TRUE(try_one(*method, history, anything));
    EXPECT_TRUE(tried.insert(space.key(history.back().point)).second) << "trial " << i << " is not new";
  }
}

TEST_P(EachMethod, EndsBehindTheOnlyPoint) {
  const Space space({integer("layers", 3, 3)});
  const auto method = make(space);
  History history;
  EXPECT_TRUE(try_one(*method, history, [](Observation&) {}));
  EXPECT_FALSE(try_one(*method, history, [](Observation&) {}));
}

TEST_P(EachMethod, GoesOnWhateverValuesAre) {
  const Space space = rich_space();
  const std::vector<Result> results = {
      [](Observation& o) { o.outcome = Outcome::kFailed; },
      [](Observation& o) { o.outcome = Outcome::kDone, o.values = {3}; },
      [](Observation& o) { o.outcome = Outcome::kDone, o.values = {o.trial % 2 == 0 ? 1e30 : -1e30}; },
      [](Observation& o) { o.outcome = Outcome::kDone, o.values = {1e308 * std::cos(static_cast<double>(o.trial))}; },
      [](Observation&) {}};
  for (std::size_t k = 0; k < results.size(); ++k) {
    const auto method = make(space);
    History history;
    for (int i = 0; i < 30; ++i) {
      ASSERT_TRUE(try_one(*method, history, results[k])) << "results " << k;
      for (const double position : history.back().point)
        ASSERT_TRUE(std::isnan(position) || (position >= 0 && position <= 1)) << "results " << k;
    }
  }
}

TEST_P(EachMethod, SaysWhenConstraintsLeaveNothing) {
  std::vector<Space> spaces = {Space({integer("layers", 1, 8)}, {Constraint::parse("layers > 9")})};
  if (!is_grid()) spaces.push_back(Space({real("rate", 0, 1)}, {Constraint::parse("rate > 2")}));
  // More points than anybody could go through.
  spaces.push_back(Space({integer("a", 1, 1e6), integer("b", 1, 1e6)}, {Constraint::parse("a * b == 7e11 + 1")}));
  for (const Space& space : spaces) {
    try {
      make(space)->suggest({}, 0);
      ADD_FAILURE() << "proposed a point";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage) << error.what();
    }
  }
}

TEST_P(EachMethod, SearchesForSeveralObjectivesOrRefusesThem) {
  const Space space = finite_space();
  std::unique_ptr<Method> method;
  try {
    method = make(space, 1, 2);
  } catch (const Error& error) {
    EXPECT_TRUE(GetParam() == "cma-es" || GetParam() == "bayes") << error.what();
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    return;
  }
  History history;
  for (int i = 0; i < 30; ++i)
    ASSERT_TRUE(try_one(*method, history, [](Observation& o) {
      o.outcome = Outcome::kDone;
      o.values = {o.point[0], -o.point[1]};
    }));
}

}  // namespace
}  // namespace trireme::tune
