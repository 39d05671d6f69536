#include "train/loop/forward.h"

#include <ATen/ops/from_blob.h>

#include "core/base/error.h"
#include "models/kernels/ops.h"

namespace trireme::train {

at::Tensor loss_of(models::Model& model, data::MicroBatch& batch, double scale, const models::ForwardPass& pass) {
  const auto tensor = [&](std::vector<std::int64_t>& ids) {
    return at::from_blob(ids.data(), {batch.sequences, batch.length}, at::kLong);
  };
  const at::Tensor hidden = model.forward(tensor(batch.tokens), pass);
  return models::ops::next_token_loss(hidden.view({-1, hidden.size(-1)}), model.head().value,
                                      tensor(batch.targets).view({-1}), scale);
}

namespace {

models::Recompute recompute_of(const std::string& name) {
  if (name == "none") return models::Recompute::kNone;
  if (name == "selective") return models::Recompute::kSelective;
  if (name == "full") return models::Recompute::kFull;
  throw Error(ErrorCode::kBug, "no way to recompute is called ", name);
}

}  // namespace

models::ForwardPass training_pass(const TrainConfig& config, const data::MicroBatch& batch) {
  return {
      .dropout = models::DropoutKey{static_cast<std::uint64_t>(config.seed), batch.step, batch.index * batch.sequences},
      .recompute = recompute_of(config.recompute)};
}

}  // namespace trireme::train
