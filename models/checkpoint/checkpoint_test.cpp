#include "models/checkpoint/checkpoint.h"

#include <gmock/gmock.h>

#include "models/checkpoint/test_checkpoint.h"

namespace trireme::models {
namespace {

using testing::IsEmpty;

void expect_whole(const Checkpoint& checkpoint, const std::vector<WholeTensor>& tensors) {
  ASSERT_EQ(checkpoint.tensors().size(), tensors.size());
  for (const WholeTensor& tensor : tensors) {
    std::vector<char> bytes(tensor.bytes.size());
    checkpoint.read(tensor.name, bytes.data());
    EXPECT_EQ(bytes, tensor.bytes) << tensor.name;
  }
}

TEST(Checkpoint, GivesBackWhatOneRankWrote) {
  const TemporaryFolder folder;
  const auto tensors = small_model();
  save_rows(folder.path() / "step-00000200", tensors, 1);
  const Checkpoint checkpoint = Checkpoint::open(folder.path() / "step-00000200");
  expect_whole(checkpoint, tensors);
  EXPECT_EQ(checkpoint.model_json(), texts(tensors).model_json);
  EXPECT_EQ(checkpoint.training_json(), texts(tensors).training_json);
  EXPECT_EQ(checkpoint.tokenizer_json(), texts(tensors).tokenizer_json);
  EXPECT_EQ(checkpoint.weights_hash(), hash_of(tensors));
  EXPECT_THAT(checkpoint.verify(), IsEmpty());
}

TEST(Checkpoint, GivesBackRowsOfThreeRanks) {
  const TemporaryFolder folder;
  const auto tensors = small_model();
  save_rows(folder.path() / "step-00000200", tensors, 3);
  const Checkpoint checkpoint = Checkpoint::open(folder.path() / "step-00000200");
  expect_whole(checkpoint, tensors);
  EXPECT_THAT(checkpoint.verify(), IsEmpty());
}

}  // namespace
}  // namespace trireme::models
