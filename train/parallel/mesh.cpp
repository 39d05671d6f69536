#include "train/parallel/mesh.h"

#include <algorithm>
#include <sstream>

#include "core/base/error.h"
#include "core/comm/traced_communicator.h"

namespace trireme::train {
namespace {

struct AskedFor {
  Axis axis;
  const char* key;
  std::int64_t size;
};

// The largest number below and the smallest above `size` for which `legal` holds, up to `most`.
template <class Legal>
std::string nearest(std::int64_t size, std::int64_t most, const Legal& legal) {
  std::ostringstream text;
  std::int64_t below = size - 1, above = size + 1;
  while (below >= 1 && !legal(below)) --below;
  while (above <= most && !legal(above)) ++above;
  if (below >= 1) text << below;
  if (above <= most) text << (below >= 1 ? " or " : "") << above;
  return text.str();
}

}  // namespace

int MeshShape::ranks() const {
  int product = 1;
  for (const int size : sizes) product *= size;
  return product;
}

std::array<int, kAxes> MeshShape::coordinates(int rank) const {
  std::array<int, kAxes> at{};
  for (std::size_t axis = 0; axis < kAxes; ++axis) {
    at[axis] = rank % sizes[axis];
    rank /= sizes[axis];
  }
  return at;
}

int MeshShape::neighbour(int rank, Axis axis, int there) const {
  const auto index = static_cast<std::size_t>(axis);
  int step = 1;
  for (std::size_t i = 0; i < index; ++i) step *= sizes[i];
  return rank + (there - coordinates(rank)[index]) * step;
}

std::vector<int> MeshShape::along(Axis axis, int rank) const {
  std::vector<int> ranks;
  for (int i = 0; i < size(axis); ++i) ranks.push_back(neighbour(rank, axis, i));
  return ranks;
}

MeshShape mesh_shape(const ParallelConfig& config, int ranks) {
  const AskedFor asked[] = {{Axis::kTensor, "parallel.tensor", config.tensor},
                            {Axis::kContext, "parallel.context", config.context},
                            {Axis::kExpert, "parallel.expert", config.expert},
                            {Axis::kPipeline, "parallel.pipeline", config.pipeline}};
  // Sizes are at most 2^20 each (ParallelConfig), so that four of them overflow; none that could be used comes near.
  std::int64_t product = 1;
  std::ostringstream factors;
  for (const AskedFor& axis : asked) {
    if (axis.size == 1) continue;
    factors << (product > 1 ? " x " : "") << axis.key << ' ' << axis.size;
    product = std::min<std::int64_t>(product * axis.size, std::int64_t{1} << 40);
  }
  if (ranks % product != 0) {
    std::ostringstream message;
    message << factors.str() << " must divide the number of ranks, got " << ranks << "; allowed: ";
    const std::int64_t below = ranks / product * product;
    if (below > 0) message << below << " or ";
    message << below + product << " ranks";
    for (const AskedFor& axis : asked) {
      if (axis.size == 1) continue;
      const std::int64_t others = product / axis.size;
      const std::string sizes =
          nearest(axis.size, ranks, [&](std::int64_t size) { return ranks % (others * size) == 0; });
      if (!sizes.empty()) message << ", or " << axis.key << ' ' << sizes;
    }
    throw Error(ErrorCode::kUsage, message.str());
  }
  MeshShape shape;
  for (const AskedFor& axis : asked) shape.sizes[static_cast<std::size_t>(axis.axis)] = static_cast<int>(axis.size);
  shape.sizes[static_cast<std::size_t>(Axis::kData)] = static_cast<int>(ranks / product);
  return shape;
}

MeshShape mesh_shape(const TrainConfig& config, int ranks) {
  const MeshShape shape = mesh_shape(config.parallel, ranks);
  const std::int64_t pipeline = shape.size(Axis::kPipeline), data = shape.size(Axis::kData);
  shard_group(config.parallel, shape);
  if (pipeline > 1 && config.micro_batches() / data < pipeline)
    throw Error(ErrorCode::kUsage, "parallel.pipeline ", pipeline,
                " needs as many micro-batches a step on each of the ", data, data == 1 ? " data rank" : " data ranks",
                ", got ", config.micro_batches(), " in all; allowed: data.global-batch ",
                pipeline * data * config.data.micro_batch, " and above, data.micro-batch ",
                std::max<std::int64_t>(1, config.data.global_batch / (pipeline * data)), " and below, or fewer stages");
  return shape;
}

int shard_group(const ParallelConfig& config, const MeshShape& shape) {
  const int data = shape.size(Axis::kData);
  if (config.shard == 0) return 1;
  if (config.shard_group == 0) return data;
  if (data % config.shard_group != 0)
    throw Error(ErrorCode::kUsage, "parallel.shard-group must divide the ", data, data == 1 ? " rank" : " ranks",
                " that share the batch, got ", config.shard_group, "; allowed: 0 or ",
                nearest(config.shard_group, data, [&](std::int64_t size) { return data % size == 0; }));
  return static_cast<int>(config.shard_group);
}

const char* axis_name(Axis axis) {
  constexpr const char* kNames[kAxes] = {"tensor", "context", "expert", "data", "pipeline"};
  return kNames[static_cast<std::size_t>(axis)];
}

Mesh::Mesh(Communicator& world, const MeshShape& shape) : shape_(shape), world_(make_traced(world, "all")) {
  if (shape.ranks() != world.size())
    throw Error(ErrorCode::kBug, "a mesh of ", shape.ranks(), " ranks in a world of ", world.size());
  for (std::size_t i = 0; i < kAxes; ++i) {
    const auto axis = static_cast<Axis>(i);
    if (shape.sizes[i] < world.size()) groups_[i] = make_group(world, shape.along(axis, world.rank()));
    along_[i] = make_traced(groups_[i] ? *groups_[i] : world, axis_name(axis));
  }
}

}  // namespace trireme::train
