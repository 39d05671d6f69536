#include "models/kernels/gemm.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include <string>

namespace trireme::models {
namespace {

struct Shape {
  std::int64_t m, n, depth;
};

// Whole and cut tiles of 12 x 32, odd depths, one of everything, several groups of columns and stretches of depth.
constexpr Shape kShapes[] = {{12, 32, 16}, {1, 1, 1},     {13, 33, 17},  {5, 70, 2049}, {100, 31, 64},
                             {23, 1, 5},   {1, 100, 300}, {70, 5, 4097}, {48, 64, 128}, {9, 1100, 2048}};

double error(const at::Tensor& a, const at::Tensor& b) {
  return ((a.to(at::kDouble) - b).norm() / (b.norm() + 1e-30)).item<double>();
}

// The same numbers, laid out the other way round.
at::Tensor other_way(const at::Tensor& x) { return x.t().contiguous().t(); }

TEST(Gemm, EqualsAProductInFloat64FromEveryLayout) {
  for (const auto type : {at::kFloat, at::kBFloat16, at::kDouble})
    for (const Shape& s : kShapes) {
      const at::Tensor a = at::randn({s.m, s.depth}).to(type), b = at::randn({s.depth, s.n}).to(type);
      const at::Tensor expected = at::matmul(a.to(at::kDouble), b.to(at::kDouble));
      const double limit = type == at::kBFloat16 ? 4e-3 : type == at::kFloat ? 2e-6 : 1e-13;
      for (const at::Tensor& left : {a, other_way(a)})
        for (const at::Tensor& right : {b, other_way(b)})
          EXPECT_LT(error(multiplied(left, right), expected), limit)
              << s.m << " x " << s.n << " x " << s.depth << " " << at::toString(type);
    }
}

TEST(Gemm, AddsBiasAndAddendBeforeItRoundsOnce) {
  for (const auto type : {at::kFloat, at::kBFloat16})
    for (const std::int64_t depth : {40, 5000}) {
      const at::Tensor a = at::randn({30, depth}).to(type), b = at::randn({depth, 50}).to(type),
                       bias = at::randn({50}).to(type), addend = at::randn({30, 50}).to(type);
      const at::Tensor out = at::full({30, 50}, NAN, a.options());
      multiply_into(out, a, b, bias, addend);
      const auto wide = [](const at::Tensor& x) { return x.to(at::kDouble); };
      EXPECT_LT(error(out, at::matmul(wide(a), wide(b)) + wide(bias) + wide(addend)), type == at::kFloat ? 1e-6 : 3e-3);
    }
}

TEST(Gemm, Bfloat16ProductsAddUpInFloat32) {
  const at::Tensor a = at::randn({20, 64}).to(at::kBFloat16), b = at::randn({64, 40}).to(at::kBFloat16);
  const at::Tensor sum = at::full({20, 40}, 1.0F, at::kFloat);
  for (int i = 0; i < 3; ++i) multiply_into(sum, a, b, {}, sum);
  EXPECT_LT(error(sum, 3 * at::matmul(a.to(at::kDouble), b.to(at::kDouble)) + 1), 1e-6);
}

TEST(Gemm, ProductsThatShareSidesHaveTheBitsOfSingleOnes) {
  for (const auto type : {at::kFloat, at::kBFloat16})
    for (const std::int64_t depth : {40, 2500}) {
      const auto made = [&](std::int64_t rows, std::int64_t columns) { return at::randn({rows, columns}).to(type); };
      // Columns beyond what is packed at a time as well.
      const std::vector<at::Tensor> lefts = {made(30, depth), other_way(made(7, depth)), made(1, depth)};
      const std::vector<at::Tensor> rights = {made(depth, 50), other_way(made(depth, 700)), made(depth, 33)};
      const std::vector<at::Tensor> biases = {at::randn({50}).to(type), at::randn({700}).to(type),
                                              at::randn({33}).to(type)};
      std::vector<at::Tensor> outs;
      for (const at::Tensor& left : lefts)
        for (const at::Tensor& right : rights)
          outs.push_back(at::full({left.size(0), right.size(1)}, NAN, left.options()));
      multiply_each(outs, lefts, rights, biases);
      for (std::size_t i = 0; i < outs.size(); ++i)
        EXPECT_TRUE(outs[i].equal(multiplied(lefts[i / 3], rights[i % 3], biases[i % 3]))) << i;
    }
}

TEST(Gemm, WritesNothingBesideAViewOfItsResult) {
  const at::Tensor all = at::full({20, 60}, 7.0F, at::kFloat), a = at::randn({10, 9}), b = at::randn({9, 37});
  multiply_into(all.narrow(0, 5, 10).narrow(1, 11, 37), a, b);
  EXPECT_LT(error(all.narrow(0, 5, 10).narrow(1, 11, 37), at::matmul(a.to(at::kDouble), b.to(at::kDouble))), 1e-6);
  EXPECT_EQ((all == 7.0).sum().item<std::int64_t>(), 20 * 60 - 10 * 37);
}

TEST(Gemm, ARowsBitsDependNeitherOnOtherRowsNorOnThreads) {
  if (!has_matrix_kernels(at::kFloat)) GTEST_SKIP() << "no kernels for this processor";
  const int threads = at::get_num_threads();
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    if (!has_matrix_kernels(type)) continue;
    const at::Tensor a = at::randn({101, 3000}).to(type), b = at::randn({3000, 130}).to(type);
    const at::Tensor whole = multiplied(a, b);
    at::set_num_threads(3);
    EXPECT_TRUE(multiplied(a, b).equal(whole));
    at::set_num_threads(threads);
    for (const std::int64_t rows : {1, 2, 12, 50})
      EXPECT_TRUE(multiplied(a.narrow(0, 37, rows), b).equal(whole.narrow(0, 37, rows)));
    EXPECT_TRUE(multiplied(a, b.narrow(1, 3, 70)).equal(whole.narrow(1, 3, 70)));
  }
}

}  // namespace
}  // namespace trireme::models
