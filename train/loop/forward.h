#pragma once
#include <ATen/core/Tensor.h>

#include <memory>
#include <string>

#include "data/loader/loader.h"
#include "models/model.h"
#include "models/preference.h"
#include "train/config/train_config.h"

namespace trireme::train {

using MicroBatch = std::shared_ptr<data::MicroBatch>;

/// What the model reads of a micro-batch [B, T], in its memory, which lives as long.
at::Tensor tokens_of(const MicroBatch& batch);
/// What is asked for of it, [B, T], likewise.
at::Tensor targets_of(const MicroBatch& batch);
/// Tokens of its texts, [B], likewise; undefined where sequences are full.
at::Tensor lengths_of(const MicroBatch& batch);
/// The documents that share its rows; null where each row is one.
models::DocumentsPointer documents_of(const MicroBatch& batch);
/// Its preferences.
std::vector<models::Preference> preferences_of(const MicroBatch& batch);
/// scale * the sum of a micro-batch's losses, of its targets or its preferences, float64, of what the last part of the
/// model returned for it.
at::Tensor loss_of(const models::Model& model, const at::Tensor& hidden_btc, const MicroBatch& batch, double scale,
                   const models::PreferenceRule& rule = {}, const models::ForwardPass& pass = {});

/// That of the config key `recompute`.
models::Recompute recompute_of(const std::string& name);

/// Of a training micro-batch: where it stands in the run tells its dropout masks.
/// @param step   counts from 0
/// @param index  of the micro-batch within the step
models::ForwardPass training_pass(const TrainConfig& config, std::int64_t step, std::int64_t index);

}  // namespace trireme::train
