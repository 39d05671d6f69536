#include "models/layers/rotary_embedding.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include "core/base/error.h"

namespace trireme::models {
namespace {

ModelConfig config_of(std::int64_t head_width, std::int64_t context) {
  ModelConfig config;
  config.head_width = head_width;
  config.context = context;
  return config;
}

TEST(RotaryEmbedding, ScoreDependsOnDistanceOnly) {
  const RotaryEmbedding rotary(config_of(/*head_width=*/8, /*context=*/64));
  const auto q = at::randn({1, 1, 1, 8}), k = at::randn({1, 1, 1, 8});
  const auto score = [&](int at_q, int at_k) { return (rotary.forward(q, at_q) * rotary.forward(k, at_k)).sum(); };
  EXPECT_TRUE(at::allclose(score(5, 2), score(40, 37), /*rtol=*/1e-4, /*atol=*/1e-5));
  EXPECT_FALSE(at::allclose(score(5, 2), score(5, 4), 1e-4, 1e-5));
}

TEST(RotaryEmbedding, RefusesOddWidthsAndPositionsBeyondItsTable) {
  EXPECT_THROW(RotaryEmbedding(config_of(7, 4)), Error);
  const RotaryEmbedding rotary(config_of(8, 4));
  EXPECT_THROW(rotary.forward(at::randn({1, 1, 3, 8}), 2), Error);
}

}  // namespace
}  // namespace trireme::models
