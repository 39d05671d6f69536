#include "train/parallel/placement.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "core/base/error.h"
#include "models/registry.h"

namespace trireme::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

models::ModelConfig of_layers(std::int64_t layers) {
  models::ModelConfig config;
  config.layers = layers;
  config.width = 64;
  config.heads = 4;
  return config;
}

std::vector<std::int64_t> counts(std::int64_t layers, std::int64_t vocabulary, int stages) {
  std::vector<std::int64_t> counts;
  std::int64_t next = 0;
  for (const models::Part& part : stages_of(of_layers(layers), vocabulary, stages)) {
    EXPECT_EQ(part.first, next);
    counts.push_back(part.last - part.first);
    next = part.last;
  }
  EXPECT_EQ(next, layers);
  return counts;
}

TEST(StagesOf, LayersAreSharedEvenly) {
  EXPECT_THAT(counts(12, 1, 4), ElementsAre(3, 3, 3, 3));
  EXPECT_THAT(counts(7, 1, 4), ElementsAre(2, 2, 2, 1));
  EXPECT_THAT(counts(4, 1, 4), ElementsAre(1, 1, 1, 1));
  EXPECT_THAT(counts(5, 1, 2), ElementsAre(3, 2));
}

TEST(StagesOf, ALargeHeadCountsAsLayers) {
  // A layer of width 64 has 64 x 64 x 4 + 3 x 64 x 192 = 53,248 multiplied weights, as much as a head of 832 tokens.
  EXPECT_THAT(counts(7, 832, 4), ElementsAre(2, 2, 2, 1));
  EXPECT_THAT(counts(11, 2 * 832, 4), ElementsAre(4, 3, 3, 1));
  EXPECT_THAT(counts(12, 832, 2), ElementsAre(7, 5));
  EXPECT_THAT(counts(4, 100 * 832, 2), ElementsAre(3, 1)) << "no stage is without a layer";
}

// The heaviest stage is as light as any cut into contiguous stages allows.
TEST(StagesOf, NoOtherCutHasALighterHeaviestStage) {
  for (const std::int64_t layers : {3, 5, 8, 13})
    for (const int stages : {2, 3})
      for (const double head : {0.0, 0.6, 1.0, 2.5, 7.0}) {
        const std::vector<std::int64_t> found =
            counts(layers, std::max<std::int64_t>(1, static_cast<std::int64_t>(head * 832)), stages);
        const auto heaviest = [&](const std::vector<std::int64_t>& each) {
          double most = 0;
          for (std::size_t i = 0; i < each.size(); ++i)
            most = std::max(most, static_cast<double>(each[i]) + (i + 1 == each.size() ? head : 0));
          return most;
        };
        double best = 1e9;
        for (std::int64_t a = 1; a < layers; ++a) {
          if (stages == 2) best = std::min(best, heaviest({a, layers - a}));
          for (std::int64_t b = 1; stages == 3 && a + b < layers; ++b)
            best = std::min(best, heaviest({a, b, layers - a - b}));
        }
        EXPECT_NEAR(heaviest(found), best, 0.01) << layers << " layers, " << stages << " stages, head " << head;
      }
}

TEST(StagesOf, MoreStagesThanLayersAreRefused) {
  EXPECT_THAT([] { stages_of(of_layers(3), 10, 4); }, ThrowsMessage<Error>(HasSubstr("got 4 stages for 3 layers")));
}

TEST(Placement, EverySegmentHasAHomeAndATiedHeadAReader) {
  const models::ModelConfig config = of_layers(4);
  const auto whole = models::build_model(config, 50);
  const RowLayout layout(whole->parameters());
  const auto home = [&](const Placement& placement, const std::string& name) {
    for (std::size_t i = 0; i < layout.segments.size(); ++i)
      if (layout.segments[i].name == name) return placement.home[i];
    return -2;
  };
  // Four stages on two ranks: blocks 0 and 2 on the first, 1 and 3 on the second.
  const Placement placement = placement_of(layout, config, 50, stages_of(config, 50, 4), 2);
  for (const auto& [name, rank] : {std::pair{"embedding", 0},
                                   {"blocks.0", 0},
                                   {"blocks.1", 1},
                                   {"blocks.2", 0},
                                   {"blocks.3", 1},
                                   {"norm", 1},
                                   {"head", 1}})
    EXPECT_EQ(home(placement, name), rank) << name;
  for (std::size_t i = 0; i < layout.segments.size(); ++i)
    EXPECT_EQ(placement.reader[i], layout.segments[i].name == "embedding" ? 1 : -1) << layout.segments[i].name;
}

TEST(Placement, UnitsOfAllRanksAreEachBlockOnce) {
  const models::ModelConfig config = of_layers(4);
  const auto whole = models::build_model(config, 5000);
  const RowLayout layout(whole->parameters());
  for (const int pipeline : {1, 2, 4})
    for (const int data : {1, 2, 3}) {
      MeshShape shape;
      shape.sizes[static_cast<std::size_t>(Axis::kData)] = data;
      shape.sizes[static_cast<std::size_t>(Axis::kPipeline)] = pipeline;
      std::vector<int> seen(static_cast<std::size_t>(layout.size / kBlockElements), 0);
      const Placement placement = placement_of(layout, config, 5000, stages_of(config, 5000, pipeline), pipeline);
      for (const auto& units : units_of(layout, placement, shape))
        for (const Unit& unit : units)
          for (std::int64_t at = unit.begin; at < unit.end; at += kBlockElements)
            ++seen.at(static_cast<std::size_t>(at / kBlockElements));
      EXPECT_TRUE(std::ranges::all_of(seen, [](int count) { return count == 1; })) << pipeline << " x " << data;
    }
}

}  // namespace
}  // namespace trireme::train
