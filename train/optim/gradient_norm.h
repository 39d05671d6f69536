#pragma once
#include <ATen/core/ScalarType.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "core/comm/communicator.h"
#include "train/parallel/shards.h"

namespace trireme::train {

/// Euclidean norm of the row of gradients, the same bits on any number of ranks: squares are added in float64, within
/// blocks of kBlockElements in fixed lanes, and the sums of blocks in order of index. Called by all ranks.
///
/// @param units     what each rank answers for: together, each block of the row once
/// @param gradient  the numbers from this place on, to the end of its block; called for this rank's blocks
double gradient_norm(Communicator& world, const std::vector<std::vector<Unit>>& units, at::ScalarType type,
                     const std::function<const void*(std::int64_t begin)>& gradient);

}  // namespace trireme::train
