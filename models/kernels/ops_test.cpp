#include "models/kernels/ops.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <gtest/gtest.h>

#include <mutex>
#include <set>

namespace trireme::models {
namespace {

TEST(NextTokenLoss, EqualsAtenAndItsGradients) {
  // Rows go in groups of 512 at most: less than one, and several with a short one at the end.
  for (const std::int64_t rows : {5, 1100})
    for (const auto& [type, tolerance] : {std::pair{at::kDouble, 1e-10}, {at::kFloat, 1e-4}, {at::kBFloat16, 0.02}}) {
      const std::int64_t width = 24, vocabulary = 5000;
      const auto hidden = at::randn({rows, width}, type).requires_grad_(true),
                 head = at::randn({vocabulary, width}, type).requires_grad_(true);
      auto targets = at::randint(vocabulary, {rows}, at::kLong);
      targets[3] = -1;
      targets[rows - 1] = -1;
      const at::Tensor ours = ops::next_token_loss(hidden, head, targets, 1.0 / static_cast<double>(rows - 2));
      ours.backward();
      const auto wide_hidden = hidden.detach().to(at::kDouble).requires_grad_(true),
                 wide_head = head.detach().to(at::kDouble).requires_grad_(true);
      const at::Tensor theirs = at::cross_entropy_loss(at::linear(wide_hidden, wide_head), targets, {},
                                                       at::Reduction::Mean, /*ignore_index=*/-1);
      theirs.backward();
      EXPECT_NEAR(ours.item<double>(), theirs.item<double>(), tolerance * theirs.item<double>()) << type;
      for (const auto& [found, due] : {std::pair{hidden.grad(), wide_hidden.grad()}, {head.grad(), wide_head.grad()}})
        EXPECT_LT((found.to(at::kDouble) - due).norm().item<double>(), tolerance * due.norm().item<double>())
            << type << ", " << rows << " rows";
    }
}

TEST(NextTokenLoss, OfNothingIsNothing) {
  for (const std::int64_t rows : {0, 7}) {  // no rows, and none that is asked for
    const auto hidden = at::randn({rows, 16}).requires_grad_(true), head = at::randn({50, 16}).requires_grad_(true);
    const at::Tensor loss = ops::next_token_loss(hidden, head, at::full({rows}, -1, at::kLong), 1);
    loss.backward();
    EXPECT_EQ(loss.item<double>(), 0);
    EXPECT_EQ(head.grad().abs().sum().item<float>(), 0);
    EXPECT_EQ(hidden.grad().abs().sum().item<float>(), 0);
  }
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
  const auto whole = ops::attention(q, k, v);
  const auto repeated =
      at::scaled_dot_product_attention(q, k.repeat_interleave(3, 1), v.repeat_interleave(3, 1), {}, 0.0, true);
  EXPECT_TRUE(at::allclose(whole, repeated, 1e-5, 1e-6));
  for (const std::int64_t tail : {1, 4})
    EXPECT_TRUE(
        at::allclose(ops::attention(q.narrow(2, 9 - tail, tail), k, v), whole.narrow(2, 9 - tail, tail), 1e-5, 1e-6));
}

// at::parallel_for is nothing but a call where a build lacks OpenMP.
TEST(Ops, UseTheThreadsThatAreAskedFor) {
  const int before = at::get_num_threads();
  at::set_num_threads(3);
  std::mutex mutex;
  std::set<int> threads;
  at::parallel_for(0, 3, 1, [&](std::int64_t, std::int64_t) {
    const std::lock_guard lock(mutex);
    threads.insert(at::get_thread_num());
  });
  at::set_num_threads(before);
  EXPECT_EQ(threads.size(), 3u);
}

}  // namespace
}  // namespace trireme::models
