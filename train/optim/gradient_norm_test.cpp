#include "train/optim/gradient_norm.h"

#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/comm/thread_communicator.h"

namespace trireme::train {
namespace {

std::vector<double> norms(int ranks, const at::Tensor& row, std::int64_t count) {
  std::vector<double> out(static_cast<std::size_t>(ranks));
  run_on_threads(ranks, [&](Communicator& world) {
    out[static_cast<std::size_t>(world.rank())] = gradient_norm(world, row, count);
  });
  return out;
}

TEST(GradientNorm, IsTheEuclideanNormOfTheFirstElements) {
  EXPECT_DOUBLE_EQ(norms(1, at::tensor({3.0F, 4.0F, 100.0F}), 2)[0], 5);
  EXPECT_DOUBLE_EQ(norms(1, at::tensor({3.0, 4.0, 100.0}), 2)[0], 5);
}

TEST(GradientNorm, AnyNumberOfRanksGivesTheSameBits) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    const at::Tensor row = at::randn({9 * 4096}, type);
    // Whole blocks, a cut one, fewer blocks than ranks, less than a block.
    for (const std::int64_t count : {9 * 4096, 8 * 4096 + 17, 4097, 100, 1}) {
      const double one = norms(1, row, count)[0];
      EXPECT_NEAR(one, row.narrow(0, 0, count).to(at::kDouble).norm().item<double>(), 1e-12 * one);
      for (const int ranks : {2, 3, 5, 12})
        for (const double norm : norms(ranks, row, count)) EXPECT_EQ(norm, one) << count << " on " << ranks;
    }
  }
}

TEST(GradientNorm, LargeValuesDoNotOverflowFloat32AndNanShows) {
  EXPECT_DOUBLE_EQ(norms(2, at::tensor({0x1p100F, 0.0F}), 2)[1], 0x1p100);
  EXPECT_TRUE(std::isnan(norms(3, at::tensor({1.0F, NAN}), 2)[2]));
}

}  // namespace
}  // namespace trireme::train
