#include "tune/search/cma_es.h"

#include <gmock/gmock.h>

#include <sstream>

#include "core/base/error.h"
#include "tune/search/search_testing.h"

namespace trireme::tune {
namespace {

using namespace testing;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

Space unit_space() { return Space({real("x", 0, 1), real("y", 0, 1)}); }

// As written to trials: generation, attempt, parents.
std::vector<std::size_t> numbers_of(const std::string& note) {
  std::istringstream in(note);
  std::vector<std::size_t> numbers;
  for (std::size_t number = 0; in >> number;) numbers.push_back(number);
  return numbers;
}

void ask(Method& method, History& history) {
  const auto trial = static_cast<std::int64_t>(history.size());
  const auto suggestion = method.suggest(history, trial);
  history.push_back({.trial = trial, .point = suggestion->point, .note = suggestion->note});
}

void tell(Observation& observation, double value) {
  observation.outcome = Outcome::kDone;
  observation.values = {value};
}

TEST(CmaEs, FindsASphereFarBetterThanRandomDraws) {
  EXPECT_LT(median_best_on_sphere("cma-es"), 0.2 * median_best_on_sphere("random"));
}

TEST(CmaEs, DrawsMoreOfAGenerationWhileTrialsArePending) {
  const Space space = unit_space();
  const auto method = make_cma_es({space, 3});
  History history;
  for (int i = 0; i < 30; ++i) ask(*method, history);
  for (const Observation& observation : history) EXPECT_EQ(numbers_of(observation.note)[0], 0u);
  for (const std::size_t i : {3u, 8u, 9u, 20u, 22u}) tell(history[i], 1);
  ask(*method, history);
  EXPECT_EQ(numbers_of(history.back().note)[0], 0u);
  tell(history[28], 1);
  ask(*method, history);
  EXPECT_EQ(history.back().note, "1 0 3 8 9 20 22 28");
}

TEST(CmaEs, DoesNotLearnFromWhatComesInLate) {
  const Space space = unit_space();
  const auto method = make_cma_es({space, 3});
  History history;
  for (int i = 0; i < 10; ++i) ask(*method, history);
  for (std::size_t i = 4; i < 10; ++i) tell(history[i], static_cast<double>(i));
  ask(*method, history);
  const auto before = method->suggest(history, 11);
  tell(history[0], -100);
  const auto behind = method->suggest(history, 11);
  EXPECT_EQ(before->point, behind->point);
  EXPECT_EQ(before->note, behind->note);
}

TEST(CmaEs, DoesNotLearnFromAFailureThatIsMendedLate) {
  const Space space = unit_space();
  const auto method = make_cma_es({space, 3});
  History history;
  for (int i = 0; i < 40; ++i) {
    ask(*method, history);
    if (i % 7 == 3)
      history.back().outcome = Outcome::kFailed;
    else
      tell(history.back(), history.back().point[0]);
  }
  const auto before = method->suggest(history, 40);
  tell(history[3], -100);
  const auto behind = method->suggest(history, 40);
  EXPECT_EQ(before->point, behind->point);
  EXPECT_EQ(before->note, behind->note);
}

TEST(CmaEs, StartsAgainWithLargerGenerationsWhenNothingChanges) {
  const Space space = unit_space();
  const auto method = make_cma_es({space, 3});
  History history;
  for (int i = 0; i < 160; ++i) {
    ask(*method, history);
    tell(history.back(), 5);
  }
  EXPECT_EQ(numbers_of(history[100].note).size() - 2, 6u) << "4 + 3 ln 2";
  EXPECT_EQ(numbers_of(history[159].note).size() - 2, 12u);
}

TEST(CmaEs, StartsElsewhereWhenAWholeGenerationFails) {
  // The middle, where it begins, always fails.
  const Space space = unit_space();
  const auto method = make_cma_es({space, 3});
  History history;
  for (int i = 0; i < 300; ++i) {
    ask(*method, history);
    const Point& x = history.back().point;
    if (x[0] < 0.97) {
      history.back().outcome = Outcome::kFailed;
    } else {
      tell(history.back(), x[1]);
    }
  }
  double best = 1;
  for (const Observation& observation : history)
    if (observation.outcome == Outcome::kDone) best = std::min(best, observation.values[0]);
  EXPECT_LT(best, 0.01);
}

TEST(CmaEs, ComesToTheBestChoiceAndTheBestWholeNumber) {
  const std::string best = "b";
  Search search(
      Space({real("x", 0, 1), integer("layers", 1, 20), choice("a", {std::string("a"), best, std::string("c")})}),
      {.method = "cma-es", .seed = 3});
  int hits = 0;
  for (int i = 0; i < 200; ++i) {
    const auto trial = search.ask();
    const auto& parameters = trial->parameters;
    const double x = *value_number(parameters[0].value), layers = *value_number(parameters[1].value);
    const bool right = same_value(parameters[2].value, best);
    search.tell(trial->number, {std::pow(x - 0.2, 2) + std::pow((layers - 13) / 20, 2) + (right ? 0 : 0.05)});
    if (i >= 170) hits += right && std::abs(layers - 13) <= 1 && std::abs(x - 0.2) < 0.1;
  }
  EXPECT_GE(hits, 20) << "of 30";
}

TEST(CmaEs, RefusesWhatItCannotSearch) {
  EXPECT_THAT([] { make_cma_es({unit_space(), 0, 2}); }, ThrowsMessage<Error>(HasSubstr("one objective, got 2")));
  EXPECT_THAT([] { make_cma_es({Space({choice("a", {true, false})}), 0}); }, ThrowsMessage<Error>(HasSubstr("order")));
}

}  // namespace
}  // namespace trireme::tune
