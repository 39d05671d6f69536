#include "train/parallel/legal_layouts.h"

#include <gmock/gmock.h>

#include <set>

#include "train/parallel/mesh.h"

namespace trireme::train {
namespace {

using ::testing::Contains;
using ::testing::SizeIs;

TEST(LegalLayouts, AreLegalAndDiffer) {
  for (const int ranks : {1, 2, 3, 4, 6, 8, 12})
    for (const std::int64_t layers : {1, 4, 8}) {
      std::set<std::string> texts;
      TrainConfig config;
      config.model.layers = layers;
      config.data.path = "corpus";
      config.data.micro_batch = 1;
      config.data.global_batch = 2 * ranks + 1;
      for (const ParallelConfig& layout : legal_layouts(ranks, layers, config.micro_batches(), 3)) {
        config.parallel = layout;
        EXPECT_NO_THROW(validate(config)) << layout_text(layout, ranks);
        EXPECT_NO_THROW(mesh_shape(config, ranks)) << layout_text(layout, ranks);
        EXPECT_TRUE(texts.insert(layout_text(layout, ranks)).second) << layout_text(layout, ranks);
      }
    }
}

TEST(LegalLayouts, AreAllOfThem) {
  EXPECT_THAT(legal_layouts(1, 4, 3, 3), SizeIs(1));
  EXPECT_THAT(legal_layouts(2, 1, 5, 3), SizeIs(4)) << "one layer: no pipeline";
  // Data 3 in four stages of sharing; 3 stages of one or two layers, in two orders.
  EXPECT_THAT(legal_layouts(3, 6, 7, 3), SizeIs(4 + 4));
  std::set<std::string> texts;
  for (const ParallelConfig& layout : legal_layouts(8, 8, 17, 3)) texts.insert(layout_text(layout, 8));
  for (const char* text :
       {"data 8, shard 0", "data 8, shard 3 in groups of 4", "data 1, pipeline 8 1f1b",
        "data 2, pipeline 4 x 2 zero-bubble, shard 2", "data 4, pipeline 2 1f1b, shard 1 in groups of 2"})
    EXPECT_THAT(texts, Contains(text));
}

TEST(Layouts, FewRowsCoverAllPairs) {
  const std::vector<std::size_t> some =
      covering_pairs({{0, 0, 0}, {0, 1, 1}, {0, 0, 1}, {1, 0, 1}, {1, 1, 0}, {0, 1, 0}});
  EXPECT_EQ(some.size(), 4u);  // 4 pairs of two values need as many rows, and four are enough
  std::vector<std::vector<std::int64_t>> all;
  for (std::int64_t i = 0; i < 3 * 4 * 2 * 3 * 2; ++i)
    all.push_back({i % 3, i / 3 % 4, i / 12 % 2, i / 24 % 3, i / 72});
  std::set<std::vector<std::int64_t>> pairs, covered;
  const auto add = [](std::set<std::vector<std::int64_t>>& to, const std::vector<std::int64_t>& row) {
    for (std::int64_t a = 0; a < 5; ++a)
      for (std::int64_t b = 0; b < a; ++b)
        to.insert({a, row[static_cast<std::size_t>(a)], b, row[static_cast<std::size_t>(b)]});
  };
  for (const auto& row : all) add(pairs, row);
  const std::vector<std::size_t> chosen = covering_pairs(all);
  for (const std::size_t i : chosen) add(covered, all[i]);
  EXPECT_EQ(covered, pairs);
  EXPECT_LE(chosen.size(), 20u);
  EXPECT_TRUE(covering_pairs({}).empty());
}

}  // namespace
}  // namespace trireme::train
