#pragma once
#include <ATen/core/Tensor.h>

#include "data/loader/loader.h"
#include "models/model.h"
#include "train/config/train_config.h"

namespace trireme::train {

/// scale * the sum of a micro-batch's losses, float64. @param batch  its memory is read, not copied
at::Tensor loss_of(models::Model& model, data::MicroBatch& batch, double scale, const models::ForwardPass& pass = {});

/// Of a training micro-batch: where it stands in the run tells its dropout masks.
models::ForwardPass training_pass(const TrainConfig& config, const data::MicroBatch& batch);

}  // namespace trireme::train
