#pragma once
#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <vector>

#include "models/config.h"
#include "models/forward_pass.h"
#include "models/layers/adapter.h"
#include "models/parameters.h"

namespace trireme::models {

/// y = x . weight^T + bias, and what an adapter adds, where model.lora says that there is one.
class Linear {
 public:
  enum class Bias { kNone, kZeros };

  /// Adds prefix + "weight" [outputs, inputs] and, where there is one, prefix + "bias" [outputs].
  /// @param share  of the tokens that pass it
  Linear(ParameterList& parameters, const std::string& prefix, const ModelConfig& config, std::int64_t outputs,
         std::int64_t inputs, Init init, Bias bias, double share = 1);

  /// x [..., inputs] -> [..., outputs]
  at::Tensor forward(const at::Tensor& x, const ForwardPass& pass) const;

  /// The same without the bias: for who adds it together with what comes next.
  at::Tensor products(const at::Tensor& x, const ForwardPass& pass) const;
  std::optional<at::Tensor> bias() const;

  /// The results of several layers for one x, which is read once. All have a bias or none has.
  static std::vector<at::Tensor> forward_each(const std::vector<const Linear*>& layers, const at::Tensor& x,
                                              const ForwardPass& pass);

 private:
  at::Tensor adapted(const at::Tensor& y, const at::Tensor& x, const ForwardPass& pass) const {
    return adapter_ ? adapter_->added(y, x, pass) : y;
  }

  const Parameter *weight_, *bias_ = nullptr;
  std::optional<Adapter> adapter_;
};

}  // namespace trireme::models
