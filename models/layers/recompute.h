#pragma once
#include <ATen/core/Tensor.h>

#include <functional>

#include "models/forward_pass.h"

namespace trireme::models {

/// part(x), of whose inner values only some stay in memory until backward, which makes the others again by a second
/// forward pass: all, those that are no matrix product or attention, or none. The same operations on the same numbers,
/// so no bit differs; and each parameter gets its gradient once.
///
/// Source: Chen et al. 2016, arXiv:1604.06174 (full); Korthikanti et al. 2022, arXiv:2205.05198, section 5 (selective).
///
/// @param part  a function of x and parameters, to be called again during backward: what it refers to lives until then.
/// @param last_is_read  whether a gradient reads its last matrix product; not so where it ends by adding that to x
at::Tensor recomputed(Recompute recompute, const at::Tensor& x, std::function<at::Tensor(const at::Tensor&)> part,
                      bool last_is_read = false);

}  // namespace trireme::models
