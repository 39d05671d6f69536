#include "tune/search/qmc.h"

#include <gmock/gmock.h>

#include <set>

#include "tune/search/search_testing.h"

namespace trireme::tune {
namespace {

using namespace testing;

TEST(Qmc, HasOneTrialInEachPartOfEveryParameterWhateverWasEnqueued) {
  const Space space({real("x", 0, 1), real("rate", 1e-4, 1, Dimension::Scale::kLog), integer("layers", 1, 16)});
  const auto qmc = make_qmc({space, 7});
  History history;
  std::vector<std::set<int>> parts(space.size());
  for (int proposed = 0; proposed < 16;) {
    const auto trial = static_cast<std::int64_t>(history.size());
    if (trial % 3 == 1) {
      history.push_back(done(trial, space.snap(Point(space.size(), 0.4)), {0.2}));
      continue;
    }
    const auto suggestion = qmc->suggest(history, trial);
    history.push_back({.trial = trial, .point = suggestion->point, .note = suggestion->note});
    for (std::size_t i = 0; i < space.size(); ++i) parts[i].insert(static_cast<int>(16 * suggestion->point[i]));
    ++proposed;
  }
  for (const auto& hit : parts) EXPECT_EQ(hit.size(), 16u);
}

TEST(Qmc, GoesOnBehindPointsThatBreakAConstraint) {
  const Space space({real("x", 0, 1), real("y", 0, 1)}, {Constraint::parse("x + y < 0.5")});
  const auto qmc = make_qmc({space, 7});
  History history;
  std::set<std::string> notes;
  for (std::int64_t trial = 0; trial < 40; ++trial) {
    const auto suggestion = qmc->suggest(history, trial);
    EXPECT_LT(suggestion->point[0] + suggestion->point[1], 0.5);
    EXPECT_TRUE(notes.insert(suggestion->note).second);
    history.push_back({.trial = trial, .point = suggestion->point, .note = suggestion->note});
  }
}

}  // namespace
}  // namespace trireme::tune
