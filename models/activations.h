#pragma once
#include <cstdint>

#include "models/forward_pass.h"
#include "models/model.h"

namespace trireme::models {

/// A micro-batch, and how it is computed.
struct PassSize {
  std::int64_t sequences = 1, length = 1;
  std::int64_t element_size = 4;  ///< bytes of what forward computes in
  Recompute recompute = Recompute::kNone;
  bool drops_attention = false;  ///< model.dropout is above 0
};

/// Bytes that a training pass of one micro-batch holds beside weights and what is made of their gradients. A plan, not
/// an account: small vectors and the scratch memory of kernels are left out.
struct ActivationBytes {
  double block = 0;     ///< of each layer, from its forward to its backward pass
  double replayed = 0;  ///< beside that, while backward computes a layer for the second time
  double backward = 0;  ///< the most that gradients take while backward goes through a layer, weights' included
  double end = 0;       ///< of the last norm and the loss, from forward to backward
  double loss = 0;      ///< beside that, while the loss is computed
  double passed = 0;    ///< what a stage of a pipeline hands on
};

/// @param model  of any part; its weights need no memory. What is asked is the same for all its layers, and that of one
///               with experts where only some have them
ActivationBytes activation_bytes(const Model& model, const PassSize& size);

}  // namespace trireme::models
