#pragma once
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>

#include <algorithm>

#include "core/base/error.h"
#include "models/kernels/vector_math.h"

/// How operations cut work: into blocks whose size does not depend on the number of threads, and partial sums are added
/// in the order of blocks, so neither do the bits.
namespace trireme::models {

constexpr std::int64_t kBlockRows = 64;
constexpr std::int64_t kBlockElements = 8192;

/// Calls visit(T{}) with the element type of `tensor`.
template <class Visit>
void with_type(const at::Tensor& tensor, Visit visit) {
  switch (tensor.scalar_type()) {
    case at::kFloat:
      return visit(float{});
    case at::kDouble:
      return visit(double{});
    case at::kBFloat16:
      return visit(c10::BFloat16{});
    default:
      throw Error(ErrorCode::kBug, "layers compute in float32, bfloat16 or float64");
  }
}

/// math_t of the tensor's element type.
inline at::ScalarType math_type(const at::Tensor& tensor) {
  return tensor.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

/// visit(block, first, last) for blocks of `size`, on all threads.
template <class Visit>
void for_blocks(std::int64_t count, std::int64_t size, Visit visit) {
  at::parallel_for(0, (count + size - 1) / size, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t block = first; block < last; ++block)
      visit(block, block * size, std::min(count, (block + 1) * size));
  });
}

}  // namespace trireme::models
