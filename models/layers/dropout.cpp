#include "models/layers/dropout.h"

#include "models/kernels/ops.h"

namespace trireme::models {

std::optional<DropoutMask> Dropout::mask(const ForwardPass& pass) const {
  if (rate_ == 0 || !pass.dropout) return std::nullopt;
  return DropoutMask(*pass.dropout, site_, rate_);
}

at::Tensor Dropout::forward(const at::Tensor& x_btc, const ForwardPass& pass) const {
  const auto kept = mask(pass);
  return kept ? ops::dropout(x_btc, *kept) : x_btc;
}

}  // namespace trireme::models
