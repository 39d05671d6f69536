#pragma once
#include <ATen/core/Tensor.h>

#include <string>

#include "models/parameters.h"

namespace trireme::models {

/// What a model normalises with, over the last axis.
class Norm {
 public:
  enum class Kind {
    kRms,         ///< x / rms(x) * weight. Zhang and Sennrich 2019, arXiv:1910.07467
    kRmsOnePlus,  ///< x / rms(x) * (1 + weight), which starts at 0: so weight decay draws towards 1. Gemma,
                  ///< arXiv:2403.08295
    kLayer,       ///< (x - mean(x)) / deviation(x) * weight + bias. Ba et al. 2016, arXiv:1607.06450
  };

  /// Adds prefix + "weight" [width] and, for kLayer, prefix + "bias" [width].
  Norm(ParameterList& parameters, const std::string& prefix, std::int64_t width, Kind kind, double epsilon);
  /// [..., width] -> [..., width]
  at::Tensor forward(const at::Tensor& x) const;

 private:
  Kind kind_;
  double epsilon_;
  const Parameter *weight_, *bias_ = nullptr;
};

}  // namespace trireme::models
