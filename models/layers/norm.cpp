#include "models/layers/norm.h"

#include "models/kernels/ops.h"

namespace trireme::models {

Norm::Norm(ParameterList& parameters, const std::string& prefix, std::int64_t width, Kind kind, double epsilon)
    : kind_(kind),
      epsilon_(epsilon),
      weight_(&parameters.add(prefix + "weight", {width}, kind == Kind::kRmsOnePlus ? Init::zeros() : Init::ones(),
                              Role::kNorm)) {
  if (kind == Kind::kLayer) bias_ = &parameters.add(prefix + "bias", {width}, Init::zeros(), Role::kBias);
}

at::Tensor Norm::forward(const at::Tensor& x) const {
  if (kind_ == Kind::kLayer) return ops::layer_norm(x, weight_->value, bias_->value, epsilon_);
  return ops::rms_norm(x, weight_->value, epsilon_, kind_ == Kind::kRmsOnePlus ? 1 : 0);
}

}  // namespace trireme::models
