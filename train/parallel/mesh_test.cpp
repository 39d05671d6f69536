#include "train/parallel/mesh.h"

#include <gmock/gmock.h>

#include <map>

#include "core/base/error.h"
#include "core/comm/test_site.h"
#include "core/comm/thread_communicator.h"

namespace trireme::train {
namespace {

using testing::ElementsAre;
using testing::StrEq;
using testing::ThrowsMessage;

constexpr Axis kAll[] = {Axis::kTensor, Axis::kContext, Axis::kExpert, Axis::kData, Axis::kPipeline};

TEST(Mesh, TheDataAxisIsWhatTheOthersLeave) {
  EXPECT_THAT(mesh_shape(ParallelConfig{}, 6).sizes, ElementsAre(1, 1, 1, 6, 1));
  EXPECT_THAT(mesh_shape(ParallelConfig{.tensor = 2, .pipeline = 3}, 24).sizes, ElementsAre(2, 1, 1, 4, 3));
  EXPECT_THAT(mesh_shape(ParallelConfig{.tensor = 2, .pipeline = 3}, 6).sizes, ElementsAre(2, 1, 1, 1, 3));
}

TEST(Mesh, NeighboursDifferInTheAxisThatTalksMost) {
  const MeshShape shape = mesh_shape(ParallelConfig{.tensor = 2, .pipeline = 2}, 12);
  EXPECT_THAT(shape.along(Axis::kTensor, 0), ElementsAre(0, 1));
  EXPECT_THAT(shape.along(Axis::kData, 1), ElementsAre(1, 3, 5));
  EXPECT_THAT(shape.along(Axis::kPipeline, 3), ElementsAre(3, 9));
}

TEST(Mesh, EveryRankIsInOneGroupOfEachAxis) {
  const MeshShape shape = mesh_shape(ParallelConfig{.tensor = 2, .pipeline = 3, .context = 2}, 48);
  for (const Axis axis : kAll)
    for (int rank = 0; rank < shape.ranks(); ++rank) {
      const std::vector<int> group = shape.along(axis, rank);
      EXPECT_EQ(group.size(), static_cast<std::size_t>(shape.size(axis)));
      EXPECT_EQ(group.at(static_cast<std::size_t>(shape.coordinates(rank)[static_cast<std::size_t>(axis)])), rank);
      for (const int other : group) EXPECT_EQ(shape.along(axis, other), group);
    }
}

TEST(Mesh, SizesThatDoNotDivideAreNamedWithTheNearestThatDo) {
  const auto refused = [](const ParallelConfig& config, int ranks, const char* message) {
    EXPECT_THAT([&] { mesh_shape(config, ranks); }, ThrowsMessage<Error>(StrEq(message)));
  };
  refused(
      {.pipeline = 3}, 4,
      "parallel.pipeline 3 must divide the number of ranks, got 4; allowed: 3 or 6 ranks, or parallel.pipeline 2 or 4");
  refused({.pipeline = 8}, 4,
          "parallel.pipeline 8 must divide the number of ranks, got 4; allowed: 8 ranks, or parallel.pipeline 4");
  refused({.tensor = 2, .pipeline = 3}, 8,
          "parallel.tensor 2 x parallel.pipeline 3 must divide the number of ranks, got 8; allowed: 6 or 12 ranks, or "
          "parallel.pipeline 2 or 4");
  refused(
      {.tensor = 1 << 20, .pipeline = 1 << 20, .context = 1 << 20, .expert = 1 << 20}, 8,
      "parallel.tensor 1048576 x parallel.context 1048576 x parallel.expert 1048576 x parallel.pipeline 1048576 must "
      "divide the number of ranks, got 8; allowed: 1099511627776 ranks");
}

TEST(Mesh, GroupsTalkAlongTheirAxis) {
  run_on_threads(12, [](Communicator& world) {
    const Mesh mesh(world, mesh_shape(ParallelConfig{.tensor = 2, .pipeline = 2}, 12));
    for (const Axis axis : kAll) {
      Communicator& group = mesh.along(axis);
      const int mine = world.rank();
      std::vector<int> all(static_cast<std::size_t>(group.size()));
      group.all_gather(&mine, sizeof mine, all.data(), kTestSite);
      EXPECT_EQ(all, mesh.shape().along(axis, world.rank()));
    }
  });
}

}  // namespace
}  // namespace trireme::train
