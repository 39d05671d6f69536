#include "models/kernels/dropout.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/softmax.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "models/kernels/ops.h"

namespace trireme::models {
namespace {

constexpr DropoutKey kKey{.seed = 1, .step = 2, .first_sample = 4};

at::Tensor mask_of(const DropoutKey& key, const char* site = "site", double rate = 0.3) {
  return ops::dropout(at::ones({4, 50, 130}), DropoutMask(key, site, rate));
}

TEST(Dropout, KeepsItsShareAndScalesWhatItKeeps) {
  for (const double rate : {0.01, 0.3, 0.9}) {
    const at::Tensor mask = mask_of(kKey, "site", rate);
    EXPECT_TRUE(((mask == 0) | (mask == static_cast<float>(1 / (1 - rate)))).all().item<bool>());
    const double share = (mask == 0).to(at::kDouble).mean().item<double>();
    EXPECT_NEAR(share, rate, 5 * std::sqrt(rate * (1 - rate) / static_cast<double>(mask.numel())));
  }
}

TEST(Dropout, MasksDependOnTheSamplesPlaceInTheStepAndNotOnTheMicroBatch) {
  const at::Tensor whole = mask_of(kKey);
  for (const std::int64_t sample : {0, 1, 2, 3}) {
    const DropoutMask mask({kKey.seed, kKey.step, kKey.first_sample + sample}, "site", 0.3);
    EXPECT_TRUE(ops::dropout(at::ones({1, 50, 130}), mask).equal(whole.narrow(0, sample, 1)));
  }
}

TEST(Dropout, EveryPartOfTheKeyAndEveryPlaceHasAMaskOfItsOwn) {
  const at::Tensor mask = mask_of(kKey);
  // Independent masks of rate 0.3 agree in 58 % of their elements.
  const auto agreement = [](const at::Tensor& a, const at::Tensor& b) {
    return (a == b).to(at::kDouble).mean().item<double>();
  };
  for (const at::Tensor& other : {mask_of({2, 2, 4}), mask_of({1, 3, 4}), mask_of({1, 2, 8}), mask_of(kKey, "other")})
    EXPECT_NEAR(agreement(mask, other), 0.58, 0.02);
  EXPECT_NEAR(agreement(mask.narrow(0, 0, 3), mask.narrow(0, 1, 3)), 0.58, 0.02);
  EXPECT_NEAR(agreement(mask.narrow(1, 0, 49), mask.narrow(1, 1, 49)), 0.58, 0.02);
  EXPECT_NEAR(agreement(mask.narrow(2, 0, 129), mask.narrow(2, 1, 129)), 0.58, 0.02);
}

TEST(Dropout, ValuesAndGradientsPassTheSameMaskInEveryType) {
  for (const auto type : {at::kDouble, at::kFloat, at::kBFloat16}) {
    const DropoutMask mask(kKey, "site", 0.25);
    const at::Tensor expected = ops::dropout(at::ones({2, 9, 33}, type), mask);
    at::Tensor x = at::randn({2, 9, 33}).to(type).requires_grad_(true);
    const at::Tensor y = ops::dropout(x, mask);
    y.backward(at::ones_like(y) * 3);
    EXPECT_EQ(y.scalar_type(), type);
    const double limit = type == at::kBFloat16 ? 0.01 : 1e-6;
    EXPECT_TRUE(at::allclose(y, x * expected, limit, 0));
    EXPECT_TRUE(at::allclose(x.grad(), expected * 3, limit, 0));
  }
}

TEST(AttentionDropout, EqualsItsDefinitionAndItsGradients) {
  const std::int64_t batch = 2, heads = 4, shared = 2, tokens = 70, width = 8;
  const DropoutMask mask(kKey, "probabilities", 0.3);
  at::Tensor kept = at::ones({batch, heads, tokens, tokens}, at::kDouble);
  std::vector<std::uint32_t> scratch;
  for (std::int64_t row = 0; row < batch * heads * tokens; ++row) {
    double* at = kept.mutable_data_ptr<double>() + row * tokens;
    mask.apply({row / tokens / heads, row / tokens % heads, row % tokens}, at, tokens, at, scratch);
  }
  const auto future = at::ones({tokens, tokens}, at::kBool).triu(1);
  const auto outer = at::randn({batch, heads, tokens, width});
  for (const auto type : {at::kDouble, at::kFloat, at::kBFloat16}) {
    const auto leaf = [&](std::int64_t count) {
      return at::randn({batch, tokens, count, width}).to(type).transpose(1, 2).requires_grad_(true);
    };
    std::vector<at::Tensor> ours = {leaf(heads), leaf(shared), leaf(shared)}, theirs;
    for (const at::Tensor& x : ours) theirs.push_back(x.detach().to(at::kDouble).requires_grad_(true));
    const at::Tensor got = ops::attention(ours[0], ours[1], ours[2], {}, &mask);
    got.backward(outer.to(type));
    const auto k = theirs[1].repeat_interleave(heads / shared, 1), v = theirs[2].repeat_interleave(heads / shared, 1);
    const auto scores = (at::matmul(theirs[0], k.transpose(2, 3)) / std::sqrt(static_cast<double>(width)))
                            .masked_fill(future, -std::numeric_limits<double>::infinity());
    const at::Tensor want = at::matmul(at::softmax(scores, -1) * kept, v);
    want.backward(outer.to(type).to(at::kDouble));
    const double limit = type == at::kDouble ? 1e-13 : type == at::kFloat ? 2e-6 : 4e-3;
    const auto close = [&](const at::Tensor& a, const at::Tensor& b) {
      EXPECT_EQ(a.scalar_type(), type);
      EXPECT_LE((a.to(at::kDouble) - b).norm().item<double>(), limit * b.norm().item<double>());
    };
    close(got.detach(), want.detach());
    for (std::size_t i = 0; i < ours.size(); ++i) close(ours[i].grad(), theirs[i].grad());
  }
}

TEST(AttentionDropout, BitsDoNotDependOnTheNumberOfThreads) {
  const auto x = at::randn({2, 4, 70, 8}), outer = at::randn({2, 4, 70, 8});
  const auto run = [&](int threads) {
    at::set_num_threads(threads);
    at::Tensor q = x.clone().requires_grad_(true), k = x.narrow(1, 0, 2).clone().requires_grad_(true);
    const DropoutMask mask(kKey, "site", 0.3);
    const at::Tensor y = ops::attention(q, k, k, {}, &mask);
    y.backward(outer);
    at::set_num_threads(1);
    return std::vector<at::Tensor>{y.detach(), q.grad(), k.grad()};
  };
  const auto one = run(1), three = run(3);
  for (std::size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(one[i].equal(three[i])) << i;
}

TEST(AttentionDropout, OfNothingEqualsAttention) {
  const auto q = at::randn({2, 4, 9, 8}), k = at::randn({2, 2, 9, 8}), v = at::randn({2, 2, 9, 8});
  const DropoutMask nothing(kKey, "site", 0);
  EXPECT_TRUE(at::allclose(ops::attention(q, k, v, {}, &nothing), ops::attention(q, k, v), 1e-5, 1e-6));
}

}  // namespace
}  // namespace trireme::models
