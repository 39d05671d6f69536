#include "train/loop/forward.h"

#include <ATen/ops/from_blob.h>

#include "core/base/error.h"
#include "models/loss.h"

namespace trireme::train {

at::Tensor tokens_of(const MicroBatch& batch) {
  return at::from_blob(batch->tokens.data(), {batch->sequences, batch->length}, [batch](void*) {}, at::kLong);
}

at::Tensor targets_of(const MicroBatch& batch) {
  return at::from_blob(batch->targets.data(), {batch->sequences, batch->length}, [batch](void*) {}, at::kLong);
}

at::Tensor lengths_of(const MicroBatch& batch) {
  if (batch->lengths.empty()) return {};
  return at::from_blob(batch->lengths.data(), {batch->sequences}, [batch](void*) {}, at::kLong);
}

models::DocumentsPointer documents_of(const MicroBatch& batch) {
  if (batch->documents.empty()) return nullptr;
  return std::make_shared<models::Documents>(batch->documents, batch->length);
}

std::vector<models::Preference> preferences_of(const MicroBatch& batch) {
  std::vector<models::Preference> preferences;
  for (const data::MicroBatch::Preference& each : batch->preferences)
    preferences.push_back({.chosen = each.document, .reference = each.reference});
  return preferences;
}

at::Tensor loss_of(const models::Model& model, const at::Tensor& hidden_btc, const MicroBatch& batch, double scale,
                   const models::PreferenceRule& rule, const models::ForwardPass& pass) {
  if (!batch->preferences.empty())
    return models::preference_loss(model, hidden_btc, targets_of(batch), preferences_of(batch), rule, scale, pass);
  return models::loss(model, hidden_btc, targets_of(batch), scale, pass);
}

models::Recompute recompute_of(const std::string& name) {
  if (name == "none") return models::Recompute::kNone;
  if (name == "selective") return models::Recompute::kSelective;
  if (name == "full") return models::Recompute::kFull;
  throw Error(ErrorCode::kBug, "no way to recompute is called ", name);
}

models::ForwardPass training_pass(const TrainConfig& config, std::int64_t step, std::int64_t index) {
  return {.dropout = models::DropoutKey{static_cast<std::uint64_t>(config.seed), step, index * config.data.micro_batch},
          .recompute = recompute_of(config.recompute)};
}

}  // namespace trireme::train
