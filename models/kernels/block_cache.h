#pragma once
#include <cstdint>

namespace trireme::models {

/// How often tensors' memory was asked for, and how often the system had to give some.
struct BlockCacheCounts {
  std::int64_t requests = 0, allocations = 0;
};

/// From here on, memory of CPU tensors that is freed is kept for the next request of its size: the steps of a training
/// run ask for the same blocks over and over, and neither the C library nor the kernel is to be asked each time. Sizes
/// are rounded up to one of eight steps between powers of two. Blocks of 4 KiB and more lie in huge pages where the
/// kernel gives them, those below 2 MiB side by side.
///
/// For programs, not libraries: called once, at the start. Blocks are never given back.
void cache_tensor_memory();

BlockCacheCounts block_cache_counts();

}  // namespace trireme::models
