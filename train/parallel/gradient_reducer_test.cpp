#include "train/parallel/gradient_reducer.h"

#include "core/comm/thread_communicator.h"
#include "train/parallel/gradient_reducer_testing.h"

namespace trireme::train {
namespace {

TEST(GradientReducer, TheOrderOfAdditionsIsVisibleInTheseGradients) {
  const std::vector<at::Tensor> rows = testing::gradient_rows(at::kFloat, 5);
  const at::Tensor from_the_left = (((rows[0] + rows[1]) + rows[2]) + rows[3]) + rows[4];
  const at::Tensor as_a_tree = ((rows[0] + rows[1]) + (rows[2] + rows[3])) + rows[4];
  EXPECT_FALSE(from_the_left.equal(as_a_tree));
  for (const at::Tensor& row : rows) EXPECT_GT(row.abs().sum().item<float>(), 0);
}

TEST(GradientReducer, AnyNumberOfRanksGivesTheCanonicalSum) {
  for (const int ranks : {1, 2, 3, 4, 7})
    for (const std::int64_t micro_batches : {1, 2, 5, 12})
      run_on_threads(ranks,
                     [&](Communicator& world) { testing::expect_canonical_sums(world, at::kFloat, micro_batches); });
}

TEST(GradientReducer, GroupsOfRanksMayShareTheSumsOut) {
  for (const auto& [ranks, group] : {std::pair{1, 1}, {2, 2}, {3, 3}, {7, 7}, {4, 2}, {6, 2}, {6, 3}, {4, 1}})
    for (const std::int64_t micro_batches : {1, 5, 12})
      for (const Deal deal : {Deal::kRuns, Deal::kTurns})
        run_on_threads(ranks, [&](Communicator& world) {
          testing::expect_canonical_sums(world, at::kFloat, micro_batches, group, deal);
        });
}

TEST(GradientReducer, GradientsOfBfloat16AreSummedInFloat32AndFloat64InItself) {
  for (const at::ScalarType type : {at::kBFloat16, at::kDouble})
    for (const int ranks : {1, 3})
      run_on_threads(ranks, [&](Communicator& world) { testing::expect_canonical_sums(world, type, 6); });
}

TEST(GradientReducer, LeavesNoGradientBehindAndLetsGoOfItsParameters) {
  const auto world = make_self_communicator();
  testing::SmallModel model(at::kFloat);
  {
    GradientReducer reducer(*world, *model.parameters, 2);
    testing::sum_of_step(reducer, model);
    EXPECT_FALSE(model.up->value.grad().defined());
  }
  model.backward(0);
  EXPECT_TRUE(model.up->value.grad().defined());
}

TEST(GradientReducer, MemoryGrowsWithTheLogarithmOfTheMicroBatches) {
  const auto world = make_self_communicator();
  testing::SmallModel model(at::kFloat);
  const std::int64_t row = 4 * model.parameters->gradient_size();
  EXPECT_EQ(GradientReducer(*world, *model.parameters, 1).memory_bytes(), row);
  EXPECT_EQ(GradientReducer(*world, *model.parameters, 2).memory_bytes(), row);
  EXPECT_LE(GradientReducer(*world, *model.parameters, 64).memory_bytes(), 7 * row);
}

TEST(GradientReducer, APeerThatIsLostIsNoEndlessWait) {
  EXPECT_THROW(run_on_threads(3,
                              [](Communicator& world) {
                                testing::SmallModel model(at::kFloat);
                                GradientReducer reducer(world, *model.parameters, 6);
                                if (world.rank() == 1) throw std::runtime_error("lost on purpose");
                                try {
                                  testing::sum_of_step(reducer, model);
                                  ADD_FAILURE() << "a sum without rank 1";
                                } catch (const std::exception&) {  // kPeerLost, from a hook or from finish()
                                }
                              }),
               std::runtime_error);
}

}  // namespace
}  // namespace trireme::train
