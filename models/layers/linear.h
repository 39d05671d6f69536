#pragma once
#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <vector>

#include "models/parameters.h"

namespace trireme::models {

/// y = x . weight^T + bias.
class Linear {
 public:
  enum class Bias { kNone, kZeros };

  /// Adds prefix + "weight" [outputs, inputs] and, where there is one, prefix + "bias" [outputs].
  /// @param share  of the tokens that pass it
  Linear(ParameterList& parameters, const std::string& prefix, std::int64_t outputs, std::int64_t inputs, Init init,
         Bias bias, double share = 1);

  /// x [..., inputs] -> [..., outputs]
  at::Tensor forward(const at::Tensor& x) const;

  /// x . weight^T: for who adds the bias together with what comes next.
  at::Tensor products(const at::Tensor& x) const;
  std::optional<at::Tensor> bias() const;

  /// The results of several layers for one x, which is read once. All have a bias or none has.
  static std::vector<at::Tensor> forward_each(const std::vector<const Linear*>& layers, const at::Tensor& x);

 private:
  const Parameter *weight_, *bias_ = nullptr;
};

}  // namespace trireme::models
