#pragma once
#include <c10/core/CPUAllocator.h>
#include <gtest/gtest.h>

#include "models/kernels/block_cache.h"

namespace trireme::models {

/// For tests whose tensors' memory comes from the cache: the others of a program keep the allocator that sanitizers
/// know.
class CachedMemory : public ::testing::Test {
 protected:
  CachedMemory() { cache_tensor_memory(); }
  ~CachedMemory() override { c10::SetCPUAllocator(before_, /*priority=*/255); }

 private:
  c10::Allocator* const before_ = c10::GetCPUAllocator();
};

}  // namespace trireme::models
