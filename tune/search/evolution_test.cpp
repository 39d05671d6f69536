#include "tune/search/evolution.h"

#include <gmock/gmock.h>

#include <set>

#include "core/base/random.h"
#include "tune/search/search_testing.h"

namespace trireme::tune {
namespace {

using namespace testing;

Space unit_space() { return Space({real("x", 0, 1), real("y", 0, 1), real("z", 0, 1)}); }

History random_history(int count) {
  const RandomStream random(1, "evolution_test");
  History history;
  for (int i = 0; i < count; ++i)
    history.push_back(done(i, {random.uniform(i, 0), random.uniform(i, 1), random.uniform(i, 2)}, {1.0 * count - i}));
  return history;
}

// Places of those that differ from `child` in one parameter.
std::vector<std::size_t> parents_of(const Point& child, const History& history) {
  std::vector<std::size_t> parents;
  for (std::size_t i = 0; i < history.size(); ++i) {
    int different = 0;
    for (std::size_t k = 0; k < child.size(); ++k) different += history[i].point[k] != child[k];
    if (different == 1) parents.push_back(i);
  }
  return parents;
}

TEST(Evolution, FindsASphereFarBetterThanRandomDraws) {
  EXPECT_LT(median_best_on_sphere("evolution"), 0.3 * median_best_on_sphere("random"));
}

TEST(Evolution, ChangesOneParameterOfAGoodOne) {
  const Space space = unit_space();
  const History history = random_history(30);
  const auto evolution = make_evolution({space, 3});
  double places = 0;
  for (std::int64_t trial = 30; trial < 80; ++trial) {
    const auto parents = parents_of(evolution->suggest(history, trial)->point, history);
    ASSERT_EQ(parents.size(), 1u);
    places += static_cast<double>(29 - parents[0]);
  }
  EXPECT_LT(places / 50, 6) << "the best of eight of thirty is about the third; at random it would be 14.5";
}

TEST(Evolution, ForgetsWhatIsOldHoweverGood) {
  const Space space = unit_space();
  History history = random_history(40);
  for (int i = 0; i < 8; ++i) history[static_cast<std::size_t>(i)].values = {-100};
  const auto evolution = make_evolution({space, 3});
  for (std::int64_t trial = 40; trial < 90; ++trial) {
    const auto parents = parents_of(evolution->suggest(history, trial)->point, history);
    ASSERT_EQ(parents.size(), 1u);
    EXPECT_GE(parents[0], 8u);
  }
}

TEST(Evolution, ReachesEachChoiceAndEachNeighbour) {
  const Space space({choice("a", {true, std::string("b"), std::string("c")}), integer("n", 1, 1000)});
  const Point parent = space.point({{"a", true}, {"n", std::int64_t{500}}});
  History history;
  for (int i = 0; i < 20; ++i) history.push_back(done(i, parent, {1}));
  const auto evolution = make_evolution({space, 3});
  std::set<std::string> choices;
  std::int64_t nearest = 1000;
  for (std::int64_t trial = 20; trial < 220; ++trial) {
    const Parameters parameters = space.parameters(evolution->suggest(history, trial)->point);
    choices.insert(value_text(parameters[0].value));
    const std::int64_t step = std::abs(std::get<std::int64_t>(parameters[1].value) - 500);
    if (step > 0) nearest = std::min(nearest, step);
  }
  EXPECT_EQ(choices, (std::set<std::string>{"true", "b", "c"}));
  EXPECT_LE(nearest, 2);
}

TEST(Evolution, DrawsParametersThatAMutationBringsIn) {
  const Space space({choice("optimizer", {std::string("sgd"), std::string("adam")}),
                     when(real("beta", 0, 1), "optimizer", {std::string("adam")})});
  History history;
  for (int i = 0; i < 20; ++i) history.push_back(done(i, space.point({{"optimizer", std::string("sgd")}}), {1}));
  const auto evolution = make_evolution({space, 3});
  std::set<double> betas;
  for (std::int64_t trial = 20; trial < 40; ++trial) betas.insert(evolution->suggest(history, trial)->point[1]);
  EXPECT_EQ(betas.size(), 20u);
}

TEST(Evolution, SpreadsOverTheFrontOfTwoObjectives) {
  EXPECT_LT(gap_to_front("evolution", 300), 0.7 * gap_to_front("random", 300));
}

}  // namespace
}  // namespace trireme::tune
