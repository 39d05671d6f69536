#include "models/checkpoint/export_weights.h"

#include <gmock/gmock.h>

#include "core/base/error.h"
#include "models/checkpoint/run_checkpoints.h"
#include "models/checkpoint/test_checkpoint.h"

namespace trireme::models {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::ThrowsMessage;

std::vector<WholeTensor> trained() {
  // More than a slice, and a row that is longer than one.
  return {{"weights/long", StoredType::kFloat32, {3000, 1001}},
          {"weights/wide", StoredType::kFloat32, {2, 1200000}},
          {"weights/norm", StoredType::kFloat32, {5}},
          {"weights/scalar", StoredType::kFloat64, {}},
          {"weights/none", StoredType::kFloat32, {0, 4}},
          {"ema/norm", StoredType::kFloat32, {5}},
          {"optimizer/first-moment/long", StoredType::kFloat32, {3000, 1001}}};
}

TEST(ExportWeights, HoldsTheWeightsAloneUnderTheSameHash) {
  const TemporaryFolder folder;
  const fs::path from = folder.path() / "step-00000010", to = folder.path() / "weights";
  save_rows(from, trained(), 3, R"({"step":10,"tokens":7,"eval-loss":2.5,"eval-step":10,"peak-memory-bytes":1})");
  const Checkpoint source = Checkpoint::open(from);
  const Committed committed = export_weights(source, to, false);
  const Checkpoint checkpoint = Checkpoint::open(to);
  EXPECT_EQ(checkpoint.weights_hash(), source.weights_hash());
  EXPECT_EQ(committed.weights_hash, source.weights_hash());
  EXPECT_THAT(checkpoint.verify(), IsEmpty());
  EXPECT_EQ(checkpoint.tokenizer_json(), source.tokenizer_json());
  EXPECT_EQ(checkpoint.model_json(), source.model_json());
  EXPECT_EQ(evaluated_loss(checkpoint), 2.5);
  EXPECT_THAT(checkpoint.training_json(), testing::Not(HasSubstr("peak-memory")));
  for (const WholeTensor& tensor : trained()) {
    const bool is_weight = tensor.name.starts_with(kWeightsPrefix);
    EXPECT_EQ(checkpoint.has(tensor.name), is_weight) << tensor.name;
    if (!is_weight) continue;
    std::vector<char> bytes(tensor.bytes.size());
    checkpoint.read(tensor.name, bytes.data());
    EXPECT_EQ(bytes, tensor.bytes) << tensor.name;
  }
  EXPECT_THAT([&] { export_weights(source, to, false); }, ThrowsMessage<Error>(HasSubstr("exists")));
}

TEST(ExportWeights, TakesTheAverageWhereThereIsOne) {
  const TemporaryFolder folder;
  const fs::path from = folder.path() / "step-00000010", to = folder.path() / "average";
  save_rows(from, trained(), 1, R"({"step":10,"eval-loss":2.5,"eval-step":10})");
  export_weights(Checkpoint::open(from), to, true);
  const Checkpoint checkpoint = Checkpoint::open(to);
  EXPECT_THAT(checkpoint.verify(), IsEmpty());
  std::vector<char> bytes(20);
  checkpoint.read("weights/norm", bytes.data());
  EXPECT_EQ(bytes, WholeTensor("ema/norm", StoredType::kFloat32, {5}).bytes);
  EXPECT_EQ(evaluated_loss(checkpoint), std::nullopt) << "that is of other weights";
  EXPECT_THAT([&] { export_weights(checkpoint, folder.path() / "none", true); },
              ThrowsMessage<Error>(HasSubstr("optimizer.ema-decay 0")));
  EXPECT_FALSE(fs::exists(folder.path() / "none"));
}

}  // namespace
}  // namespace trireme::models
