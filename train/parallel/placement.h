#pragma once
#include <cstdint>
#include <vector>

#include "models/model.h"
#include "train/parallel/mesh.h"
#include "train/parallel/row_layout.h"
#include "train/parallel/shards.h"

/// Which ranks of a pipeline have which parts of a model. Pure functions of sizes.
namespace trireme::train {

/// The layers of each of a pipeline's stages: as equal in work as whole layers allow, of which the head, where the last
/// stage ends, counts as so many as it has operations. @throws Error kUsage for more stages than layers
std::vector<models::Part> stages_of(const models::ModelConfig& config, std::int64_t vocabulary, int stages);

/// Where the segments of a row are.
struct Placement {
  /// By segment: the rank of the pipeline that adds up its gradients and, unless it is tied, keeps its weights.
  std::vector<int> home;
  /// By segment: another rank of the pipeline, which reads these weights through a tied segment of its own; or -1.
  std::vector<int> reader;

  /// The segments whose home a rank is.
  std::vector<std::size_t> at(int rank) const;
};

/// All on one rank.
Placement all_here(const RowLayout& layout);

/// Of stages dealt to `ranks` in turn: stage s is that of rank s % ranks.
Placement placement_of(const RowLayout& layout, const models::ModelConfig& config, std::int64_t vocabulary,
                       const std::vector<models::Part>& stages, int ranks);

/// What each rank of the world keeps of the row of weights where the data axis shares it out.
std::vector<std::vector<Unit>> units_of(const RowLayout& layout, const Placement& placement, const MeshShape& shape);

}  // namespace trireme::train
