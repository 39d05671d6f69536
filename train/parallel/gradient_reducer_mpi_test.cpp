#include <gtest/gtest.h>

#include "core/comm/mpi_test.h"
#include "train/parallel/gradient_reducer_testing.h"

namespace trireme::train {
namespace {

TEST(GradientReducerMpi, AnyShareOfMicroBatchesGivesTheCanonicalSum) {
  for (const std::int64_t micro_batches : {1, 2, 3, 5, 8, 12})
    testing::expect_canonical_sums(test_world(), at::kFloat, micro_batches);
}

TEST(GradientReducerMpi, RanksMayShareTheSumsOut) {
  for (const std::int64_t micro_batches : {1, 5, 8}) {
    testing::expect_canonical_sums(test_world(), at::kFloat, micro_batches, test_world().size());
    testing::expect_canonical_sums(test_world(), at::kFloat, micro_batches, test_world().size(), Deal::kTurns);
  }
}

TEST(GradientReducerMpi, GradientsOfBfloat16AreSummedInFloat32) {
  for (const std::int64_t micro_batches : {4, 7})
    testing::expect_canonical_sums(test_world(), at::kBFloat16, micro_batches);
}

TEST(GradientReducerMpi, GradientsOfFloat64AreSummedInFloat64) {
  for (const std::int64_t micro_batches : {4, 7})
    testing::expect_canonical_sums(test_world(), at::kDouble, micro_batches);
}

}  // namespace
}  // namespace trireme::train
