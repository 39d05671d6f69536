#pragma once
#include <ATen/core/Tensor.h>

#include "models/kernels/dropout.h"
#include "models/kernels/ops.h"

namespace trireme::models {

/// ops::attention for any rule, mask, lengths and documents, in plain steps: a thread works on one head of one sample
/// at a time and on some queries of it, whose probabilities are all that exists; backward makes them again. In float32
/// (float64 for float64), rounded once.
at::Tensor general_attention(const at::Tensor& q_bhtd, const at::Tensor& k_bhld, const at::Tensor& v_bhld,
                             const ops::AttentionRule& rule, const DropoutMask* mask, const at::Tensor& lengths = {},
                             const DocumentsPointer& documents = nullptr);

}  // namespace trireme::models
