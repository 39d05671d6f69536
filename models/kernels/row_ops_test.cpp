#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/rms_norm.h>
#include <ATen/ops/silu.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "models/kernels/ops.h"
#include "models/kernels/vector_math.h"

namespace trireme::models {
namespace {

using Tensors = std::vector<at::Tensor>;
using Function = std::function<at::Tensor(const Tensors&)>;

// The value and the gradients of every input, for one random outer gradient.
Tensors value_and_gradients(const Function& function, const Tensors& inputs, const at::Tensor& outer) {
  Tensors leaves;
  for (const at::Tensor& input : inputs) leaves.push_back(input.detach().clone().requires_grad_(true));
  const at::Tensor value = function(leaves);
  value.backward(outer);
  Tensors results = {value.detach()};
  for (const at::Tensor& leaf : leaves) results.push_back(leaf.grad());
  return results;
}

void expect_equal_to_aten(const Function& ours, const Function& theirs, const Tensors& inputs,
                          const at::Tensor& outer) {
  for (const auto type : {at::kDouble, at::kFloat, at::kBFloat16}) {
    Tensors typed, exact;
    for (const at::Tensor& input : inputs) {
      typed.push_back(input.to(type));
      exact.push_back(typed.back().to(at::kDouble));
    }
    const at::Tensor typed_outer = outer.to(type);
    const Tensors got = value_and_gradients(ours, typed, typed_outer);
    const Tensors want = value_and_gradients(theirs, exact, typed_outer.to(at::kDouble));
    // Of the norm: single elements near zero lose digits in any order of summation.
    const double limit = type == at::kDouble ? 1e-13 : type == at::kFloat ? 1e-6 : 4e-3;
    for (std::size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(got[i].scalar_type(), type);
      EXPECT_LE((got[i].to(at::kDouble) - want[i]).norm().item<double>(), limit * want[i].norm().item<double>())
          << "result " << i << " in type " << static_cast<int>(type);
    }
  }
}

TEST(RowOps, RmsNormEqualsAten) {
  for (const std::int64_t width : {7, 64, 193})
    expect_equal_to_aten([](const Tensors& in) { return ops::rms_norm(in[0], in[1], 1e-5); },
                         [width](const Tensors& in) { return at::rms_norm(in[0], {width}, in[1], 1e-5); },
                         {at::randn({3, 70, width}), at::randn({width})}, at::randn({3, 70, width}));
}

TEST(RowOps, RmsNormAddsItsOffsetToTheWeight) {
  expect_equal_to_aten([](const Tensors& in) { return ops::rms_norm(in[0], in[1], 1e-5, 1); },
                       [](const Tensors& in) { return at::rms_norm(in[0], {33}, 1 + in[1], 1e-5); },
                       {at::randn({3, 70, 33}), at::randn({33})}, at::randn({3, 70, 33}));
}

TEST(RowOps, LayerNormEqualsAten) {
  for (const std::int64_t width : {7, 64, 193})
    expect_equal_to_aten([](const Tensors& in) { return ops::layer_norm(in[0], in[1], in[2], 1e-5); },
                         [width](const Tensors& in) { return at::layer_norm(in[0], {width}, in[1], in[2], 1e-5); },
                         {at::randn({3, 70, width}) + 2, at::randn({width}), at::randn({width})},
                         at::randn({3, 70, width}));
}

using ops::Activation;
constexpr Activation kActivations[] = {Activation::kSilu, Activation::kGelu, Activation::kGeluTanh, Activation::kRelu};

at::Tensor by_aten(const at::Tensor& x, Activation activation) {
  return activation == Activation::kSilu       ? at::silu(x)
         : activation == Activation::kGelu     ? at::gelu(x)
         : activation == Activation::kGeluTanh ? at::gelu(x, "tanh")
                                               : at::relu(x);
}

TEST(RowOps, ActivationsOfBiasedRowsEqualAten) {
  for (const Activation activation : kActivations)
    for (const std::int64_t width : {7, 64, 193})
      expect_equal_to_aten([&](const Tensors& in) { return ops::activated(in[0], in[1], activation); },
                           [&](const Tensors& in) { return by_aten(in[0] + in[1], activation); },
                           {at::randn({3, 70, width}) * 3, at::randn({width})}, at::randn({3, 70, width}));
}

TEST(RowOps, GatesEqualAten) {
  for (const Activation activation : kActivations)
    expect_equal_to_aten([&](const Tensors& in) { return ops::gated(in[0], in[1], activation); },
                         [&](const Tensors& in) { return by_aten(in[0], activation) * in[1]; },
                         {at::randn({5, 4001}) * 3, at::randn({5, 4001})}, at::randn({5, 4001}));
}

TEST(RowOps, RotateEqualsItsDefinition) {
  const auto angle = at::randn({11, 4}, at::kDouble);
  const auto table = [&](const at::Tensor& x, const at::Tensor& values) {
    return values.to(x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
  };
  // As projections leave it: [B, T, H, D] in memory.
  const auto x = at::randn({2, 11, 3, 8}).transpose(1, 2);
  expect_equal_to_aten(
      [&](const Tensors& in) { return ops::rotate(in[0], table(in[0], angle.cos()), table(in[0], angle.sin())); },
      [&](const Tensors& in) {
        const auto halves = in[0].chunk(2, -1);
        return at::cat(
            {halves[0] * angle.cos() - halves[1] * angle.sin(), halves[1] * angle.cos() + halves[0] * angle.sin()}, -1);
      },
      {x}, at::randn({2, 3, 11, 8}));
}

TEST(RowOps, RotateLeavesTheChannelsBehind) {
  const auto cos = at::randn({11, 3}), sin = at::randn({11, 3});
  const auto x = at::randn({2, 11, 3, 9}).transpose(1, 2);
  const auto y = ops::rotate(x, cos, sin);
  EXPECT_TRUE(y.narrow(3, 0, 6).equal(ops::rotate(x.narrow(3, 0, 6), cos, sin)));
  EXPECT_TRUE(y.narrow(3, 6, 3).equal(x.narrow(3, 6, 3)));
}

TEST(RowOps, BitsDoNotDependOnTheNumberOfThreads) {
  const auto x = at::randn({9, 50, 96}), weight = at::randn({96}), bias = at::randn({96}),
             outer = at::randn({9, 50, 96});
  const auto run = [&](int threads) {
    at::set_num_threads(threads);
    const auto results = value_and_gradients(
        [](const Tensors& in) {
          const auto normed = ops::gated(ops::rms_norm(in[0], in[1], 1e-5), in[0], Activation::kSilu);
          return ops::activated(ops::layer_norm(normed, in[1], in[2], 1e-5), in[2], Activation::kGeluTanh);
        },
        {x, weight, bias}, outer);
    at::set_num_threads(1);
    return results;
  };
  const Tensors one = run(1), three = run(3);
  for (std::size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(one[i].equal(three[i])) << i;
}

TEST(VectorMath, ExponentialIsAccurateAndEndsWell) {
  for (float x = -87; x < 88; x += 0.0371f)
    EXPECT_NEAR(exponential(x) / std::exp(static_cast<double>(x)), 1, 3e-7) << x;
  EXPECT_EQ(exponential(0.0f), 1.0f);
  EXPECT_LT(exponential(-1e30f), 1e-37f);
  EXPECT_TRUE(std::isfinite(exponential(1e30f)));
}

}  // namespace
}  // namespace trireme::models
