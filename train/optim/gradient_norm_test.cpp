#include "train/optim/gradient_norm.h"

#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/comm/thread_communicator.h"

namespace trireme::train {
namespace {

// Units of two blocks, dealt out in turn.
std::vector<std::vector<Unit>> units_of(std::int64_t size, int ranks) {
  std::vector<std::vector<Unit>> units(static_cast<std::size_t>(ranks));
  int owner = 0;
  for (std::int64_t begin = 0; begin < size; begin += 2 * kBlockElements, owner = (owner + 1) % ranks)
    units[static_cast<std::size_t>(owner)].push_back({begin, std::min(size, begin + 2 * kBlockElements), owner});
  return units;
}

std::vector<double> norms(int ranks, const at::Tensor& row) {
  std::vector<double> out(static_cast<std::size_t>(ranks));
  run_on_threads(ranks, [&](Communicator& world) {
    out[static_cast<std::size_t>(world.rank())] =
        gradient_norm(world, units_of(row.numel(), ranks), row.scalar_type(), [&](std::int64_t begin) {
          return static_cast<const std::byte*>(row.const_data_ptr()) +
                 begin * static_cast<std::int64_t>(row.element_size());
        });
  });
  return out;
}

at::Tensor row_of(at::ScalarType type, std::initializer_list<double> numbers) {
  at::Tensor row = at::zeros({3 * kBlockElements}, type);
  std::int64_t i = 0;
  for (const double number : numbers) row[i++ * 1000].fill_(number);
  return row;
}

TEST(GradientNorm, IsTheEuclideanNorm) {
  EXPECT_DOUBLE_EQ(norms(1, row_of(at::kFloat, {3, 4}))[0], 5);
  EXPECT_DOUBLE_EQ(norms(1, row_of(at::kDouble, {3, 4}))[0], 5);
}

TEST(GradientNorm, AnyNumberOfRanksGivesTheSameBits) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble})
    for (const std::int64_t blocks : {1, 9}) {
      const at::Tensor row = at::randn({blocks * kBlockElements}, type);
      const double one = norms(1, row)[0];
      EXPECT_NEAR(one, row.to(at::kDouble).norm().item<double>(), 1e-12 * one);
      for (const int ranks : {2, 3, 5, 12})
        for (const double norm : norms(ranks, row)) EXPECT_EQ(norm, one) << blocks << " blocks on " << ranks;
    }
}

TEST(GradientNorm, LargeValuesDoNotOverflowFloat32AndNanShows) {
  EXPECT_DOUBLE_EQ(norms(2, row_of(at::kFloat, {0x1p100, 0}))[1], 0x1p100);
  EXPECT_TRUE(std::isnan(norms(3, row_of(at::kFloat, {1, NAN}))[2]));
}

}  // namespace
}  // namespace trireme::train
