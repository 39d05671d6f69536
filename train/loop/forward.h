#pragma once
#include <ATen/core/Tensor.h>

#include "data/loader/loader.h"
#include "models/model.h"

namespace trireme::train {

/// scale * the sum of a micro-batch's losses, float64. @param batch  its memory is read, not copied
at::Tensor loss_of(models::Model& model, data::MicroBatch& batch, double scale);

}  // namespace trireme::train
