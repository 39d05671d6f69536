#pragma once
#include <cstdint>

namespace trireme::models {

/// How often tensors' memory was asked for, and how often that took some that was never used before.
struct BlockCacheCounts {
  std::int64_t requests = 0, allocations = 0;
  std::int64_t bytes = 0, most_bytes = 0;  ///< of blocks in use now, and the most at any time
};

/// From here on, memory of CPU tensors that is freed is kept for later requests: the steps of a training run ask for
/// the same blocks over and over, and neither the C library nor the kernel is to be asked each time. Below 512 KiB
/// sizes are rounded up to one of eight steps between powers of two, and a block serves its size alone. Larger ones are
/// cut from what is free and joined again. Blocks of 4 KiB and more lie side by side in huge pages, where the kernel
/// gives them.
///
/// For programs, not libraries: called once, at the start. Memory is never given back.
void cache_tensor_memory();

BlockCacheCounts block_cache_counts();
/// `most_bytes` begins anew, with what is in use now.
void restart_most_bytes();

}  // namespace trireme::models
