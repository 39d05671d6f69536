#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/comm/communicator.h"
#include "train/config/train_config.h"

namespace trireme::train {

/// The directions in which ranks share a run, from the one that talks most to the one that talks least. Ranks that
/// follow each other, and thus tend to be on one node, differ in the first.
enum class Axis : std::uint8_t { kTensor, kContext, kExpert, kData, kPipeline };
inline constexpr std::size_t kAxes = 5;
/// "data"
const char* axis_name(Axis axis);

/// Ranks along each axis.
struct MeshShape {
  std::array<int, kAxes> sizes = {1, 1, 1, 1, 1};
  int size(Axis axis) const { return sizes[static_cast<std::size_t>(axis)]; }
  int ranks() const;
  /// Where a rank is along each axis.
  std::array<int, kAxes> coordinates(int rank) const;
  int coordinate(Axis axis, int rank) const { return coordinates(rank)[static_cast<std::size_t>(axis)]; }
  /// The rank that is there along this axis, and where `rank` is along the others.
  int neighbour(int rank, Axis axis, int coordinate) const;
  /// The ranks that differ from this one along this axis alone, itself included, in order.
  std::vector<int> along(Axis axis, int rank) const;
};

/// What parallel.* asks for on so many ranks: the data axis is what the others leave.
/// @throws Error kUsage  with the sizes that do not divide and the nearest that do
MeshShape mesh_shape(const ParallelConfig& config, int ranks);

/// The same of a run, whose micro-batches have to be enough for it. @throws Error kUsage
MeshShape mesh_shape(const TrainConfig& config, int ranks);

/// So many ranks of the data axis share out what parallel.shard says; 1: nothing is.
int shard_group(const ParallelConfig& config, const MeshShape& shape);

/// The communicators of a mesh, whose messages are in traces by the name of their axis.
class Mesh {
 public:
  /// @param world  outlives the mesh, and has as many ranks as the shape
  Mesh(Communicator& world, const MeshShape& shape);

  Communicator& world() const { return *world_; }
  Communicator& along(Axis axis) const { return *along_[static_cast<std::size_t>(axis)]; }
  const MeshShape& shape() const { return shape_; }

 private:
  MeshShape shape_;
  std::array<std::unique_ptr<Communicator>, kAxes> groups_;  // null: the world itself
  std::unique_ptr<Communicator> world_;                      // traced, as are:
  std::array<std::unique_ptr<Communicator>, kAxes> along_;
};

}  // namespace trireme::train
