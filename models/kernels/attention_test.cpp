#include "models/kernels/attention.h"

#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <gtest/gtest.h>

#include <string>

namespace trireme::models {
namespace {

struct Shape {
  std::int64_t batch, tokens, heads, kv_heads, width;
};

// Whole and cut panels of 32 queries, 12 keys and 12, 16 and 32 channels; odd numbers, which bfloat16 takes in pairs.
constexpr Shape kShapes[] = {{2, 64, 2, 2, 32}, {1, 77, 6, 2, 64},  {2, 33, 3, 1, 20},
                             {1, 1, 1, 1, 8},   {3, 5, 2, 1, 7},    {1, 97, 1, 1, 129},
                             {1, 31, 4, 4, 40}, {1, 200, 2, 1, 16}, {1, 32, 1, 1, 1}};

struct Gradients {
  at::Tensor out, q, k, v;
};

Gradients expected(const at::Tensor& q_in, const at::Tensor& k_in, const at::Tensor& v_in, const at::Tensor& outer) {
  const auto leaf = [](const at::Tensor& x) { return x.to(at::kDouble).detach().requires_grad_(true); };
  const at::Tensor q = leaf(q_in), k = leaf(k_in), v = leaf(v_in);
  const std::int64_t groups = q.size(2) / k.size(2);
  const at::Tensor out =
      at::scaled_dot_product_attention(q.transpose(1, 2), k.repeat_interleave(groups, 2).transpose(1, 2),
                                       v.repeat_interleave(groups, 2).transpose(1, 2), {}, 0.0, /*is_causal=*/true)
          .transpose(1, 2);
  out.backward(outer.to(at::kDouble));
  return {out.detach(), q.grad(), k.grad(), v.grad()};
}

Gradients ours(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& outer) {
  const auto [out, logsumexp] = fused_attention(q, k, v);
  // What is not written shows.
  at::Tensor dq = at::full(q.sizes(), NAN, q.options()), dk = at::full(k.sizes(), NAN, k.options()),
             dv = at::full(v.sizes(), NAN, v.options());
  fused_attention_backward(outer, out, logsumexp, q, k, v, dq, dk, dv);
  return {out, dq, dk, dv};
}

double error(const at::Tensor& a, const at::Tensor& b) {
  return ((a.to(at::kDouble) - b).norm() / (b.norm() + 1e-30)).item<double>();
}

TEST(FusedAttention, EqualsAtensInFloat64WithinTheRoundingOfItsType) {
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    if (!has_fused_attention(at::empty({1}, type))) GTEST_SKIP() << "no kernels for this processor";
    const double limit = type == at::kFloat ? 2e-6 : 8e-3;
    for (const Shape& s : kShapes) {
      const auto made = [&](std::int64_t heads) { return at::randn({s.batch, s.tokens, heads, s.width}).to(type); };
      const at::Tensor q = made(s.heads), k = made(s.kv_heads), v = made(s.kv_heads), outer = made(s.heads);
      const Gradients mine = ours(q, k, v, outer), theirs = expected(q, k, v, outer);
      const std::string what = std::to_string(s.tokens) + " tokens, " + std::to_string(s.width) + " channels, " +
                               std::string(at::toString(type));
      EXPECT_LT(error(mine.out, theirs.out), limit) << what;
      EXPECT_LT(error(mine.v, theirs.v), limit) << what;
      if (s.tokens == 1) continue;  // their gradients are zero, and what is left is rounding
      EXPECT_LT(error(mine.q, theirs.q), limit) << what;
      EXPECT_LT(error(mine.k, theirs.k), limit) << what;
    }
  }
}

TEST(FusedAttention, ReadsNothingThatItDidNotWrite) {
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    if (!has_fused_attention(at::empty({1}, type))) GTEST_SKIP() << "no kernels for this processor";
    for (const Shape& s : kShapes) {
      const auto made = [&](std::int64_t heads) { return at::randn({s.batch, s.tokens, heads, s.width}).to(type); };
      const at::Tensor q = made(s.heads), k = made(s.kv_heads), v = made(s.kv_heads), outer = made(s.heads);
      const Gradients plain = ours(q, k, v, outer);
      at::globalContext().setDeterministicAlgorithms(true, false);
      at::globalContext().setDeterministicFillUninitializedMemory(true);
      const Gradients filled = ours(q, k, v, outer);
      at::globalContext().setDeterministicAlgorithms(false, false);
      const std::string what = std::to_string(s.tokens) + " tokens, " + std::to_string(s.width) + " channels, " +
                               std::string(at::toString(type));
      EXPECT_TRUE(plain.out.equal(filled.out)) << what;
      EXPECT_TRUE(plain.q.equal(filled.q)) << what;
      EXPECT_TRUE(plain.k.equal(filled.k)) << what;
      EXPECT_TRUE(plain.v.equal(filled.v)) << what;
    }
  }
}

TEST(FusedAttention, LargeScoresNeitherOverflowNorVanish) {
  const at::Tensor q = 60 * at::randn({1, 40, 1, 16}), k = 60 * at::randn({1, 40, 1, 16}),
                   v = at::randn({1, 40, 1, 16});
  if (!has_fused_attention(q)) GTEST_SKIP() << "no kernels for this processor";
  const at::Tensor outer = at::randn({1, 40, 1, 16});
  const Gradients mine = ours(q, k, v, outer), theirs = expected(q, k, v, outer);
  EXPECT_LT(error(mine.out, theirs.out), 1e-3);
  EXPECT_TRUE(mine.q.isfinite().all().item<bool>());
}

TEST(FusedAttention, WhatIsNoNumberStaysNone) {
  at::Tensor q = at::randn({1, 40, 1, 16});
  const at::Tensor k = at::randn({1, 40, 1, 16}), v = at::randn({1, 40, 1, 16});
  if (!has_fused_attention(q)) GTEST_SKIP() << "no kernels for this processor";
  const at::Tensor plain = fused_attention(q, k, v).first;
  q[0][7][0][3] = NAN;
  k[0][30][0][2] = NAN;
  const at::Tensor out = fused_attention(q, k, v).first;
  for (std::int64_t token = 0; token < 40; ++token) {
    const bool reached = token == 7 || token >= 30;
    EXPECT_EQ(out[0][token].isnan().all().item<bool>(), reached) << token;
    if (reached) continue;
    EXPECT_TRUE(out[0][token].equal(plain[0][token])) << token;
  }
}

TEST(FusedAttention, ReadsStridedRowsAndGivesTheBitsOfContiguousOnes) {
  // Queries, keys and values side by side, as one product of a fused projection leaves them.
  const std::int64_t heads = 4, kv_heads = 2, width = 24;
  const at::Tensor all = at::randn({2, 50, heads + 2 * kv_heads, width});
  if (!has_fused_attention(all)) GTEST_SKIP() << "no kernels for this processor";
  const at::Tensor q = all.narrow(2, 0, heads), k = all.narrow(2, heads, kv_heads),
                   v = all.narrow(2, heads + kv_heads, kv_heads), outer = at::randn({2, 50, heads, width});
  const Gradients strided = ours(q, k, v, outer), plain = ours(q.contiguous(), k.contiguous(), v.contiguous(), outer);
  EXPECT_TRUE(strided.out.equal(plain.out));
  EXPECT_TRUE(strided.q.equal(plain.q));
  EXPECT_TRUE(strided.k.equal(plain.k));
  EXPECT_TRUE(strided.v.equal(plain.v));
}

TEST(FusedAttention, ASequenceHasTheSameBitsAloneAndAmongOthers) {
  const at::Tensor x = at::randn({3, 45, 2, 16});
  if (!has_fused_attention(x)) GTEST_SKIP() << "no kernels for this processor";
  const at::Tensor one = x.narrow(0, 1, 1);
  EXPECT_TRUE(fused_attention(x, x, x).first.narrow(0, 1, 1).equal(fused_attention(one, one, one).first));
}

}  // namespace
}  // namespace trireme::models
