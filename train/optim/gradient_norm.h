#pragma once
#include <ATen/core/Tensor.h>

#include "core/comm/communicator.h"

namespace trireme::train {

/// The Euclidean norm of the first `count` elements of a row that all ranks hold. Each rank sums some blocks of 4,096
/// elements in float64 and fixed lanes; block sums are gathered and added in the order of their index, so the result
/// does not depend on the number of ranks.
double gradient_norm(Communicator& world, const at::Tensor& row, std::int64_t count);

}  // namespace trireme::train
