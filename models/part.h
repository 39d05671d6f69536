#pragma once
#include <cstdint>
#include <limits>

namespace trireme::models {

/// The layers [first, last) of a model, with what stands before the first and behind the last of all: what one stage of
/// a pipeline has. The default is the whole model.
struct Part {
  std::int64_t first = 0, last = std::numeric_limits<std::int64_t>::max();
};

}  // namespace trireme::models
