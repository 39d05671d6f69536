#include "models/kernels/block_cache.h"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/randint.h>
#include <gtest/gtest.h>

#include <cstring>

#include "models/family_testing.h"
#include "models/kernels/block_cache_testing.h"
#include "models/kernels/ops.h"

namespace trireme::models {
namespace {

using namespace testing;

using BlockCache = CachedMemory;

TEST_F(BlockCache, BlocksAreAlignedWholeAndUsedAgain) {
  for (const std::int64_t bytes :
       {0, 1, 63, 64, 65, 511, 512, 513, 575, 577, 4095, 4097, 1 << 20, (1 << 20) + 1, (5 << 20) - 3}) {
    void* first = nullptr;
    {
      const at::Tensor block = at::empty({bytes}, at::kByte);
      first = block.data_ptr();
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first) % 64, 0U) << bytes;
      if (bytes > 0) std::memset(first, 0xA5, static_cast<std::size_t>(bytes));
    }
    const at::Tensor again = at::empty({bytes}, at::kByte), other = at::empty({bytes}, at::kByte);
    EXPECT_EQ(again.data_ptr(), first) << bytes;
    if (bytes > 0) {
      EXPECT_NE(other.data_ptr(), first) << bytes;
    }
  }
}

TEST_F(BlockCache, TakesOfTheOldestSlabThatHasRoom) {
  constexpr std::int64_t kMiB = 1 << 20;
  std::uintptr_t older = 0;
  {
    const at::Tensor first = at::empty({250 * kMiB}, at::kByte), second = at::empty({250 * kMiB}, at::kByte);
    older = reinterpret_cast<std::uintptr_t>(first.data_ptr());
  }
  const at::Tensor small = at::empty({8 * kMiB}, at::kByte), large = at::empty({230 * kMiB}, at::kByte);
  for (const at::Tensor& block : {small, large}) {
    const auto at = reinterpret_cast<std::uintptr_t>(block.data_ptr());
    EXPECT_TRUE(at >= older && at < older + 250 * kMiB);
  }
}

TEST_F(BlockCache, CountsBytes) {
  constexpr std::int64_t kMiB = 1 << 20;
  const std::int64_t before = block_cache_counts().bytes;
  restart_most_bytes();
  {
    const at::Tensor some = at::empty({5 * kMiB}, at::kByte);
    at::empty({3 * kMiB}, at::kByte);
    at::empty({2 * kMiB}, at::kByte);
    EXPECT_NEAR(block_cache_counts().bytes - before, 5 * kMiB, 8192);
  }
  EXPECT_EQ(block_cache_counts().bytes, before);
  EXPECT_NEAR(block_cache_counts().most_bytes - before, 8 * kMiB, 16384);
}

TEST_F(BlockCache, WhatWasFreeIsCutForOtherSizes) {
  constexpr std::int64_t kMiB = 1 << 20;
  const at::Tensor below = at::empty({kMiB}, at::kByte);
  at::empty({8 * kMiB}, at::kByte);
  const BlockCacheCounts before = block_cache_counts();
  {
    const at::Tensor some = at::empty({5 * kMiB}, at::kByte), more = at::empty({2 * kMiB}, at::kByte);
    std::memset(some.data_ptr(), 0xA5, 5 * kMiB);
    std::memset(more.data_ptr(), 0x5A, 2 * kMiB);
    EXPECT_EQ(static_cast<const std::uint8_t*>(some.const_data_ptr())[5 * kMiB - 1], 0xA5);
  }
  at::empty({8 * kMiB - 1}, at::kByte);
  EXPECT_EQ(block_cache_counts().allocations, before.allocations);
  EXPECT_EQ(block_cache_counts().requests, before.requests + 3);
}

TEST_F(BlockCache, ATrainingStepAsksTheSystemForNothingOnceItHasRun) {
  // How much several threads hold at a time is not always the same.
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  for (const std::string& family : decoder_names()) {
    const auto model = made(small_config(family), at::kFloat);
    for (Parameter& parameter : model->parameters().all()) parameter.value.set_requires_grad(true);
    const at::Tensor tokens = at::randint(kVocabulary, {3, 16}, at::kLong);
    const auto step = [&] {
      for (Parameter& parameter : model->parameters().all()) parameter.value.mutable_grad().reset();
      const at::Tensor hidden = model->forward(tokens);
      ops::next_token_loss(hidden.view({-1, hidden.size(-1)}), model->head().value, tokens.view({-1}), 1).backward();
    };
    step();
    step();
    const BlockCacheCounts before = block_cache_counts();
    for (int i = 0; i < 3; ++i) step();
    EXPECT_GT(block_cache_counts().requests, before.requests + 100);
    EXPECT_EQ(block_cache_counts().allocations, before.allocations) << family;
  }
  at::set_num_threads(threads);
}

}  // namespace
}  // namespace trireme::models
