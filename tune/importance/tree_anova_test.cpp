#include "tune/importance/tree_anova.h"

#include <gmock/gmock.h>

#include <cmath>
#include <memory>

#include "core/base/random.h"

namespace trireme::tune {
namespace {

TEST(TreeAnova, DividesFourQuarters) {
  const RegressionTree tree(ForestData{{{0.25, 0.25, 0.75, 0.75}, {0.25, 0.75, 0.25, 0.75}}, {0, 0}, {0, 1, 2, 7}});
  const TreeAnova anova(tree, {0, 0});
  EXPECT_NEAR(anova.variance(), 7.25, 1e-12);      // of 0, 1, 2, 7
  EXPECT_NEAR(anova.main_effect(0), 4, 1e-12);     // of the means 0.5 and 4.5
  EXPECT_NEAR(anova.main_effect(1), 2.25, 1e-12);  // of the means 1 and 4
  EXPECT_NEAR(anova.interaction(0, 1), 1, 1e-12);  // the rest
}

TEST(TreeAnova, WeighsBoxesByTheirVolume) {
  const RegressionTree tree(ForestData{{{0.1, 0.3}, {0.5, 0.5}}, {0, 2}, {0, 1}});
  const TreeAnova anova(tree, {0, 2});
  EXPECT_NEAR(anova.main_effect(0), 0.2 * 0.8, 1e-12);
  EXPECT_NEAR(anova.main_effect(1), 0, 1e-12);
  EXPECT_NEAR(anova.interaction(0, 1), 0, 1e-12);
}

// Positions lie in the middle of tenths, so all cuts are multiples of 1/20: means over the middles of twentieths are
// exact.
class Lattice {
 public:
  static constexpr int kCells = 20, kCategories = 5;
  Lattice() {
    const RandomStream random(4, "test");
    ForestData data{{{}, {}, {}}, categories(), {}};
    for (std::uint64_t row = 0; row < 60; ++row) {
      data.columns[0].push_back((static_cast<double>(random.bits(row, 0) % 10) + 0.5) / 10);
      data.columns[1].push_back((static_cast<double>(random.bits(row, 1) % kCategories) + 0.5) / kCategories);
      data.columns[2].push_back((static_cast<double>(random.bits(row, 2) % 10) + 0.5) / 10);
      data.values.push_back(random.uniform(row, 3));
    }
    tree_ = std::make_unique<RegressionTree>(data);
  }

  static std::vector<std::size_t> categories() { return {0, kCategories, 0}; }
  const RegressionTree& tree() const { return *tree_; }

  // Variance of the mean over those dimensions that are not kept.
  double variance_of_mean(std::vector<bool> kept) const {
    double variance = 0, whole = mean({-1, -1, -1});
    std::vector<int> at(3, -1);
    double count = 0;
    for (at[0] = kept[0] ? 0 : -1; at[0] < (kept[0] ? kCells : 0); ++at[0])
      for (at[1] = kept[1] ? 0 : -1; at[1] < (kept[1] ? kCategories : 0); ++at[1])
        for (at[2] = kept[2] ? 0 : -1; at[2] < (kept[2] ? kCells : 0); ++at[2]) {
          variance += std::pow(mean(at) - whole, 2);
          ++count;
        }
    return variance / count;
  }

 private:
  // Over all cells of dimensions that are at -1.
  double mean(const std::vector<int>& at) const {
    const auto loop = [&](std::size_t d, int cells, const auto& body) {
      for (int k = at[d] < 0 ? 0 : at[d]; k < (at[d] < 0 ? cells : at[d] + 1); ++k) body((k + 0.5) / cells);
    };
    double sum = 0, count = 0;
    loop(0, kCells, [&](double x) {
      loop(1, kCategories, [&](double c) {
        loop(2, kCells, [&](double y) {
          sum += tree_->predict({x, c, y});
          ++count;
        });
      });
    });
    return sum / count;
  }
  std::unique_ptr<RegressionTree> tree_;
};

TEST(TreeAnova, AgreesWithMeansOverALattice) {
  const Lattice lattice;
  const TreeAnova anova(lattice.tree(), Lattice::categories());
  EXPECT_NEAR(anova.variance(), lattice.variance_of_mean({true, true, true}), 1e-12);
  std::vector<double> main;
  for (std::size_t d = 0; d < 3; ++d) {
    std::vector<bool> kept(3, false);
    kept[d] = true;
    main.push_back(lattice.variance_of_mean(kept));
    EXPECT_NEAR(anova.main_effect(d), main[d], 1e-12) << d;
  }
  EXPECT_NEAR(anova.interaction(0, 1), lattice.variance_of_mean({true, true, false}) - main[0] - main[1], 1e-12);
  EXPECT_NEAR(anova.interaction(1, 2), lattice.variance_of_mean({false, true, true}) - main[1] - main[2], 1e-12);
  EXPECT_NEAR(anova.interaction(2, 0), lattice.variance_of_mean({true, false, true}) - main[0] - main[2], 1e-12);
}

}  // namespace
}  // namespace trireme::tune
