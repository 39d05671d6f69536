#include "tune/importance/random_forest.h"

#include <gmock/gmock.h>

#include "core/base/random.h"
#include "tune/space/space.h"

namespace trireme::tune {
namespace {

using ::testing::ElementsAre;

// Rows of a category of four, whose levels lie at 1/8, 3/8, 5/8, 7/8.
ForestData by_category(std::vector<int> categories, std::vector<double> values) {
  ForestData data{{{}}, {4}, std::move(values)};
  for (const int category : categories) data.columns[0].push_back((category + 0.5) / 4);
  return data;
}

TEST(RegressionTree, KnowsAllRowsThatItHasSeen) {
  const RandomStream random(1, "test");
  ForestData data{{{}, {}, {}}, {0, 3, 0}, {}};
  for (std::uint64_t row = 0; row < 200; ++row) {
    data.columns[0].push_back(random.uniform(row, 0));
    data.columns[1].push_back((static_cast<double>(random.bits(row, 1) % 3) + 0.5) / 3);
    data.columns[2].push_back(random.uniform(row, 2));
    data.values.push_back(random.uniform(row, 3));
  }
  const RegressionTree tree(data);
  for (std::size_t row = 0; row < data.rows(); ++row)
    EXPECT_NEAR(tree.predict({data.columns[0][row], data.columns[1][row], data.columns[2][row]}), data.values[row],
                1e-12);
}

TEST(RegressionTree, CutsInTheMiddleOfTheWidestStep) {
  const RegressionTree tree(ForestData{{{0.1, 0.2, 0.4, 0.9}}, {0}, {0, 0, 5, 5}});
  ASSERT_EQ(tree.nodes().size(), 3);
  EXPECT_DOUBLE_EQ(tree.nodes()[0].threshold, 0.3);
  EXPECT_EQ(tree.predict({0.29}), 0);
  EXPECT_EQ(tree.predict({0.31}), 5);
}

TEST(RegressionTree, DividesCategoriesThatAreNotNeighbours) {
  const RegressionTree tree(by_category({0, 1, 2, 3}, {-1, 4, -1, 4}));
  ASSERT_EQ(tree.nodes().size(), 3);
  EXPECT_THAT(tree.nodes()[0].left_categories, ElementsAre(true, false, true, false));
}

TEST(RegressionTree, SendsCategoriesThatItHasNotSeenWhereMoreRowsGo) {
  const RegressionTree tree(by_category({0, 0, 2}, {1, 1, 9}));
  EXPECT_EQ(tree.predict({3.5 / 4}), 1);
  const RegressionTree other(by_category({0, 2, 2}, {1, 9, 9}));
  EXPECT_EQ(other.predict({3.5 / 4}), 9);
}

TEST(RegressionTree, IsOneLeafWhereThereIsNothingToTellApart) {
  EXPECT_EQ(RegressionTree(ForestData{{{0.1, 0.5, 0.9}}, {0}, {0.3, 0.3, 0.3}}).nodes().size(), 1);
  const RegressionTree same_place(ForestData{{{0.5, 0.5}}, {0}, {1, 2}});
  EXPECT_EQ(same_place.nodes().size(), 1);
  EXPECT_EQ(same_place.predict({0.5}), 1.5);
}

TEST(RandomForest, IsAFunctionOfItsSeed) {
  ForestData data{{{}}, {0}, {}};
  const RandomStream random(2, "test");
  for (std::uint64_t row = 0; row < 50; ++row) {
    data.columns[0].push_back(random.uniform(row, 0));
    data.values.push_back(random.uniform(row, 1));
  }
  EXPECT_EQ(RandomForest(data, 4, 7).predict({0.3}), RandomForest(data, 4, 7).predict({0.3}));
  EXPECT_NE(RandomForest(data, 4, 7).predict({0.3}), RandomForest(data, 4, 8).predict({0.3}));
}

// The value is 5 in the first category; in the second it is the position of what is there only in it.
TEST(RandomForest, TakesTheFunctionForConstantAlongWhatIsInactive) {
  ForestData data{{{}, {}}, {2, 0}, {}};
  const RandomStream random(3, "test");
  for (std::uint64_t row = 0; row < 200; ++row) {
    const bool there = row % 2 == 1;
    data.columns[0].push_back(there ? 0.75 : 0.25);
    data.columns[1].push_back(there ? random.uniform(row) : kInactive);
    data.values.push_back(there ? data.columns[1].back() : 5);
  }
  const RandomForest forest(data, 16, 1);
  for (const double position : {0.1, 0.5, 0.9}) {
    EXPECT_NEAR(forest.predict({0.25, position}), 5, 1e-9);
    EXPECT_NEAR(forest.predict({0.75, position}), position, 0.05);
  }
}

}  // namespace
}  // namespace trireme::tune
