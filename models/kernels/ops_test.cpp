#include "models/kernels/ops.h"

#include <ATen/ops/allclose.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <gtest/gtest.h>

namespace trireme::models {
namespace {

TEST(NextTokenLoss, EqualsAtenAndItsGradients) {
  const std::int64_t rows = 300, width = 24, vocabulary = 5000;  // several groups of rows, the last one short
  auto hidden = at::randn({rows, width}, at::kDouble).requires_grad_(true);
  auto head = at::randn({vocabulary, width}, at::kDouble).requires_grad_(true);
  auto targets = at::randint(vocabulary, {rows}, at::kLong);
  targets[3] = -1;
  targets[299] = -1;
  const double scale = 1.0 / 298;
  const at::Tensor ours = ops::next_token_loss(hidden, head, targets, scale);
  ours.backward();
  const auto hidden_gradient = hidden.grad().clone(), head_gradient = head.grad().clone();
  hidden.mutable_grad().reset();
  head.mutable_grad().reset();
  const at::Tensor theirs =
      at::cross_entropy_loss(at::linear(hidden, head), targets, {}, at::Reduction::Mean, /*ignore_index=*/-1);
  theirs.backward();
  EXPECT_NEAR(ours.item<double>(), theirs.item<double>(), 1e-12);
  EXPECT_TRUE(at::allclose(hidden_gradient, hidden.grad(), 1e-10, 1e-14));
  EXPECT_TRUE(at::allclose(head_gradient, head.grad(), 1e-10, 1e-14));
}

TEST(NextTokenLoss, WithoutGradientsGivesTheSameBits) {
  auto hidden = at::randn({70, 16}), head = at::randn({512, 16});
  const auto targets = at::randint(512, {70}, at::kLong);
  const double plain = ops::next_token_loss(hidden, head, targets, 1).item<double>();
  hidden.requires_grad_(true);
  EXPECT_EQ(ops::next_token_loss(hidden, head, targets, 1).item<double>(), plain);
}

TEST(CausalAttention, SharedHeadsEqualRepeatedOnesAndShortQueriesTheEndOfLongOnes) {
  const auto q = at::randn({2, 6, 9, 8}), k = at::randn({2, 2, 9, 8}), v = at::randn({2, 2, 9, 8});
  const auto whole = ops::causal_attention(q, k, v);
  const auto repeated =
      at::scaled_dot_product_attention(q, k.repeat_interleave(3, 1), v.repeat_interleave(3, 1), {}, 0.0, true);
  EXPECT_TRUE(at::allclose(whole, repeated, 1e-5, 1e-6));
  for (const std::int64_t tail : {1, 4})
    EXPECT_TRUE(at::allclose(ops::causal_attention(q.narrow(2, 9 - tail, tail), k, v), whole.narrow(2, 9 - tail, tail),
                             1e-5, 1e-6));
}

}  // namespace
}  // namespace trireme::models
