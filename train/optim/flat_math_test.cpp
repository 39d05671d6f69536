#include "train/optim/flat_math.h"

#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace trireme::train {
namespace {

TEST(FlatMath, AnUpdateIsTheSameAtAnyCut) {
  const std::int64_t n = 1003;
  const auto start = at::randn({4, n}).abs();
  const AdamWStep step{1e-2, 0.1, 0.9, 0.95, 1e-8, 0.5, 0.1, 0.05};
  const auto updated = [&](const std::vector<std::int64_t>& cuts) {
    auto x = start.clone();
    auto* row = x.mutable_data_ptr<float>();
    for (std::size_t i = 0; i + 1 < cuts.size(); ++i)
      adamw_update(step, row + cuts[i], row + n + cuts[i], row + 2 * n + cuts[i], row + 3 * n + cuts[i],
                   cuts[i + 1] - cuts[i]);
    return x;
  };
  EXPECT_TRUE(updated({0, n}).equal(updated({0, 1, 8, 17, 500, 501, n})));
}

TEST(FlatMath, SumOfSquaresIsExactToFloat64) {
  const auto x = at::randn({4097});
  double expected = 0;
  for (std::int64_t i = 0; i < 4097; ++i) expected += std::pow(double{x.const_data_ptr<float>()[i]}, 2);
  EXPECT_NEAR(sum_of_squares(x.const_data_ptr<float>(), 4097), expected, 1e-10 * expected);
}

TEST(FlatMath, RoundingToBfloat16IsAtensAndKeepsNan) {
  auto x = at::randn({1000});
  x[0] = std::numeric_limits<float>::quiet_NaN();
  x[1] = std::numeric_limits<float>::infinity();
  std::vector<c10::BFloat16> out(1000);
  round_into(out.data(), x.const_data_ptr<float>(), 1000);
  const auto expected = x.to(at::kBFloat16);
  for (int i = 1; i < 1000; ++i) EXPECT_EQ(out[i].x, expected.const_data_ptr<c10::BFloat16>()[i].x) << i;
  EXPECT_TRUE(std::isnan(static_cast<float>(out[0])));
}

}  // namespace
}  // namespace trireme::train
