#include "models/kernels/general_attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/randn_like.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tanh.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace trireme::models {
namespace {

using ops::AttentionRule;

// The definition, with all scores at once.
at::Tensor defined(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const AttentionRule& rule) {
  const std::int64_t queries = q.size(2), keys = k.size(2), groups = q.size(1) / k.size(1);
  const double scale = rule.scale > 0 ? rule.scale : 1 / std::sqrt(static_cast<double>(q.size(3)));
  at::Tensor scores = at::matmul(q, k.repeat_interleave(groups, 1).transpose(2, 3)) * scale;
  if (rule.softcap > 0) scores = at::tanh(scores / rule.softcap) * rule.softcap;
  const auto distance = (at::arange(queries).unsqueeze(1) + (keys - queries)) - at::arange(keys).unsqueeze(0);
  auto hidden = distance < 0;
  if (rule.window > 0) hidden = hidden | (distance >= rule.window);
  if (!rule.causal) hidden = hidden & false;
  scores = scores.masked_fill(hidden, -std::numeric_limits<double>::infinity());
  return at::matmul(at::softmax(scores, -1), v.repeat_interleave(groups, 1));
}

// More queries than a panel has, windows shorter and longer than one.
const AttentionRule kRules[] = {{},
                                {.scale = 0.3},
                                {.softcap = 2},
                                {.scale = 0.2, .softcap = 3, .window = 5},
                                {.window = 1},
                                {.window = 150},
                                {.window = 300},
                                {.scale = 0.4, .causal = false},
                                {.softcap = 2, .causal = false}};

TEST(GeneralAttention, EqualsItsDefinitionAndItsGradients) {
  const std::int64_t batch = 2, heads = 4, shared = 2, tokens = 300, width = 8;
  const auto outer = at::randn({batch, heads, tokens, width});
  for (const AttentionRule& rule : kRules)
    for (const auto type : {at::kDouble, at::kFloat, at::kBFloat16}) {
      const auto leaf = [&](std::int64_t count) {
        return (2 * at::randn({batch, tokens, count, width})).to(type).transpose(1, 2).requires_grad_(true);
      };
      std::vector<at::Tensor> ours = {leaf(heads), leaf(shared), leaf(shared)}, theirs;
      for (const at::Tensor& x : ours) theirs.push_back(x.detach().to(at::kDouble).requires_grad_(true));
      const at::Tensor got = general_attention(ours[0], ours[1], ours[2], rule, nullptr);
      got.backward(outer.to(type));
      const at::Tensor want = defined(theirs[0], theirs[1], theirs[2], rule);
      want.backward(outer.to(type).to(at::kDouble));
      const double limit = type == at::kDouble ? 1e-13 : type == at::kFloat ? 3e-6 : 4e-3;
      const auto close = [&](const at::Tensor& a, const at::Tensor& b) {
        EXPECT_EQ(a.scalar_type(), type);
        EXPECT_LE((a.to(at::kDouble) - b).norm().item<double>(), limit * b.norm().item<double>() + 1e-12)
            << "scale " << rule.scale << ", softcap " << rule.softcap << ", window " << rule.window;
      };
      close(got.detach(), want.detach());
      for (std::size_t i = 0; i < ours.size(); ++i) close(ours[i].grad(), theirs[i].grad());
    }
}

TEST(GeneralAttention, QueriesOfAnotherTextSeeAllKeys) {
  const AttentionRule rule{.scale = 0.7, .causal = false};
  for (const auto& [queries, keys] : {std::pair(70, 300), std::pair(300, 70), std::pair(1, 5)}) {
    const auto leaf = [](std::int64_t heads, std::int64_t tokens) {
      return at::randn({2, heads, tokens, 8}, at::kDouble).requires_grad_(true);
    };
    const std::vector<at::Tensor> ours = {leaf(4, queries), leaf(2, keys), leaf(2, keys)};
    std::vector<at::Tensor> theirs;
    for (const at::Tensor& x : ours) theirs.push_back(x.detach().requires_grad_(true));
    const at::Tensor got = ops::attention(ours[0], ours[1], ours[2], rule);
    const at::Tensor want = defined(theirs[0], theirs[1], theirs[2], rule);
    const at::Tensor outer = at::randn_like(want);
    got.backward(outer);
    want.backward(outer);
    EXPECT_LT((got - want).abs().max().item<double>(), 1e-12);
    for (std::size_t i = 0; i < ours.size(); ++i)
      EXPECT_LT((ours[i].grad() - theirs[i].grad()).abs().max().item<double>(), 1e-11);
  }
}

TEST(GeneralAttention, KeysBehindATextsEndAreSeenByNone) {
  const AttentionRule rule{.scale = 0.4, .causal = false};
  std::vector<std::int64_t> lengths = {150, 1, 300};
  const auto lengths_b = at::from_blob(lengths.data(), {3}, at::kLong);
  for (const auto type : {at::kDouble, at::kBFloat16}) {
    const auto leaf = [&](std::int64_t heads) { return at::randn({3, heads, 300, 8}).to(type).requires_grad_(true); };
    const std::vector<at::Tensor> ours = {leaf(4), leaf(2), leaf(2)};
    const at::Tensor got = ops::attention(ours[0], ours[1], ours[2], rule, nullptr, {}, lengths_b);
    const at::Tensor outer = at::randn_like(got);
    got.backward(outer);
    for (std::int64_t sample = 0; sample < 3; ++sample) {
      const std::int64_t length = lengths[static_cast<std::size_t>(sample)];
      std::vector<at::Tensor> cut;
      for (std::size_t i = 0; i < 3; ++i)
        cut.push_back(
            ours[i].detach().narrow(0, sample, 1).narrow(2, 0, i == 0 ? 300 : length).clone().requires_grad_(true));
      const at::Tensor want = ops::attention(cut[0], cut[1], cut[2], rule);
      want.backward(outer.narrow(0, sample, 1));
      EXPECT_TRUE(got[sample].equal(want[0])) << "to the bit";
      for (std::size_t i = 0; i < 3; ++i) {
        const at::Tensor gradient = ours[i].grad()[sample];
        const std::int64_t kept = cut[i].size(2);
        EXPECT_TRUE(gradient.narrow(1, 0, kept).equal(cut[i].grad()[0])) << i;
        EXPECT_EQ(gradient.narrow(1, kept, 300 - kept).abs().sum().item<double>(), 0) << i;
      }
    }
  }
}

TEST(GeneralAttention, FewQueriesAreTheEndOfMany) {
  const at::NoGradGuard no_grad;
  const auto q = at::randn({2, 4, 200, 8}, at::kDouble), k = at::randn({2, 2, 200, 8}, at::kDouble),
             v = at::randn({2, 2, 200, 8}, at::kDouble);
  for (const AttentionRule& rule : kRules) {
    const at::Tensor whole = ops::attention(q, k, v, rule);
    for (const std::int64_t tail : {1, 3, 140})
      EXPECT_LT((ops::attention(q.narrow(2, 200 - tail, tail), k, v, rule) - whole.narrow(2, 200 - tail, tail))
                    .abs()
                    .max()
                    .item<double>(),
                1e-12)
          << rule.window;
  }
}

}  // namespace
}  // namespace trireme::models
