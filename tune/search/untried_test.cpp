#include "tune/search/untried.h"

#include <gmock/gmock.h>

#include <set>

#include "core/base/error.h"
#include "tune/search/search_testing.h"

namespace trireme::tune {
namespace {

using namespace testing;
using ::testing::ElementsAre;

TEST(Untried, HasWhatObeysConstraintsAndIsNotInTheHistory) {
  const Space space({integer("layers", 1, 4)}, {Constraint::parse("layers < 4")});
  Untried untried(space);
  const auto at = [&](std::int64_t layers) { return Point{space[0].position_of(layers)}; };
  untried.see({done(0, at(2), {1}), {.trial = 1, .point = at(1)}});
  EXPECT_FALSE(untried.contains(at(1))) << "pending";
  EXPECT_FALSE(untried.contains(at(2)));
  EXPECT_TRUE(untried.contains(at(3)));
  EXPECT_FALSE(untried.contains(at(4))) << "breaks the constraint";
  untried.see({});
  EXPECT_TRUE(untried.contains(at(2)));
}

TEST(Untried, PicksAnyOfThoseLeft) {
  const Space space = finite_space();
  Untried untried(space);
  untried.see({done(0, space.snap(Point(space.size(), 0.4)), {1})});
  std::set<std::string> picked;
  for (int i = 0; i < 29; ++i) picked.insert(space.key(*untried.pick((i + 0.5) / 29)));
  EXPECT_EQ(picked.size(), 29u);
}

TEST(Untried, ComparesDiscreteValuesWithoutAnEnd) {
  Dimension x = Dimension::real("x", 0, 1);
  x.scale = Dimension::Scale::kNormal;
  x.step = 1;
  const Space space({x});
  Untried untried(space);
  EXPECT_EQ(untried.distinct(), std::nullopt);
  untried.see({done(0, {space[0].position_of(1.0)}, {1})});
  EXPECT_FALSE(untried.contains(space.snap({space[0].position_of(1.0)})));
  EXPECT_TRUE(untried.contains(space.snap({space[0].position_of(2.0)})));
}

TEST(Untried, DoesNotCompareInASpaceOfRealNumbers) {
  const Space space({real("x", 0, 1)});
  Untried untried(space);
  untried.see({done(0, {0.5}, {1})});
  EXPECT_EQ(untried.distinct(), std::nullopt);
  EXPECT_TRUE(untried.contains({0.5}));
}

TEST(LevelProbabilities, GoByLevelAndNotByTheOrderInTheFile) {
  const Space space(
      {choice("width", {std::int64_t{64}, std::int64_t{8}, std::int64_t{16}}, {2, 1, 5}), integer("n", 1, 4)});
  EXPECT_THAT(level_probabilities(space[0]), ElementsAre(1. / 8, 5. / 8, 2. / 8));
  EXPECT_THAT(level_probabilities(space[1]), ElementsAre(0.25, 0.25, 0.25, 0.25));
}

}  // namespace
}  // namespace trireme::tune
