#include "tune/search/grid.h"

#include <gmock/gmock.h>

#include "core/base/error.h"
#include "tune/search/search_testing.h"

namespace trireme::tune {
namespace {

using namespace testing;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

std::string text_of(const Parameters& parameters) {
  std::string text;
  for (const Parameter& parameter : parameters) text += (text.empty() ? "" : " ") + value_text(parameter.value);
  return text;
}

std::vector<std::string> run(const Space& space, History history) {
  const auto grid = make_grid({space});
  std::vector<std::string> texts;
  while (const auto suggestion = grid->suggest(history, static_cast<std::int64_t>(history.size()))) {
    texts.push_back(text_of(space.parameters(suggestion->point)));
    history.push_back(
        {.trial = static_cast<std::int64_t>(history.size()), .point = suggestion->point, .note = suggestion->note});
  }
  return texts;
}

Space layers_and_nesterov() {
  return Space({integer("layers", 1, 3), choice("optimizer", {std::string("sgd"), std::string("adam")}),
                when(choice("nesterov", {true, false}), "optimizer", {std::string("sgd")})});
}

TEST(Grid, VisitsEachCombinationOnceAndCountsAParameterOnlyWhereItIsThere) {
  EXPECT_THAT(run(layers_and_nesterov(), {}), ElementsAre("1 sgd true", "1 sgd false", "1 adam",  //
                                                          "2 sgd true", "2 sgd false", "2 adam",  //
                                                          "3 sgd true", "3 sgd false", "3 adam"));
}

TEST(Grid, LeavesOutWhatBreaksAConstraint) {
  const Space space({integer("a", 1, 3), stepped("b", 0, 1, 0.5)}, {Constraint::parse("a * b < 1.5")});
  EXPECT_THAT(run(space, {}), ElementsAre("1 0.0", "1 0.5", "1 1.0", "2 0.0", "2 0.5", "3 0.0"));
}

TEST(Grid, PassesOverWhatOthersHaveTried) {
  const Space space = layers_and_nesterov();
  const Point enqueued = space.point({{"layers", std::int64_t{2}}, {"optimizer", std::string("adam")}});
  EXPECT_THAT(run(space, {done(0, enqueued, {1})}), ElementsAre("1 sgd true", "1 sgd false", "1 adam",  //
                                                                "2 sgd true", "2 sgd false",            //
                                                                "3 sgd true", "3 sgd false", "3 adam"));
}

TEST(Grid, RefusesAParameterThatHasNoEndOfValuesAndSaysWhatToDo) {
  const Space space({integer("layers", 1, 3), real("rate", 0, 1)});
  EXPECT_THAT([&] { make_grid({space}); },
              ThrowsMessage<Error>(AllOf(HasSubstr("parameter rate"), HasSubstr("step"), HasSubstr("random"))));
}

}  // namespace
}  // namespace trireme::tune
