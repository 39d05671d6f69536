#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/config.h"
#include "models/forward_pass.h"
#include "models/layers/dropout.h"
#include "models/parameters.h"

namespace trireme::models {

/// The linear layers of a block that model.lora.targets names.
inline constexpr std::string_view kAdapterTargets[] = {"query", "key", "value", "output", "gate", "up", "down"};

/// model.lora.targets taken apart: a flag for each of kAdapterTargets.
/// @throws Error kUsage naming the value, what is allowed
std::vector<bool> adapter_targets(const LoraConfig& config);

/// The block of a linear layer and its place in kAdapterTargets, by its prefix ("blocks.3.attention.query."); nothing
/// where it can have no adapter.
std::optional<std::pair<std::int64_t, std::size_t>> adapter_target(std::string_view prefix);

/// model.lora.alpha, or what it is where it is not given.
double adapter_alpha(const LoraConfig& config);
/// What the change is multiplied by.
double adapter_scale(const LoraConfig& config);

/// A change of low rank to a linear layer: scale * up(down(dropout(x))) is added to what it gives. It starts as
/// nothing, up being zero. Source: Hu et al. 2021, arXiv:2106.09685.
class Adapter {
 public:
  /// Of the layer `prefix` ("blocks.3.attention.query."), where model.lora says that it has one: adds prefix +
  /// "lora-down.weight" [rank, inputs] and "lora-up.weight" [outputs, rank].
  static std::optional<Adapter> of(ParameterList& parameters, const std::string& prefix, std::int64_t outputs,
                                   std::int64_t inputs, const ModelConfig& config);

  /// y [B, T, outputs], which the layer gave for x [B, T, inputs] -> [B, T, outputs]
  at::Tensor added(const at::Tensor& y, const at::Tensor& x, const ForwardPass& pass) const;

 private:
  Adapter(ParameterList& parameters, const std::string& prefix, std::int64_t outputs, std::int64_t inputs,
          const LoraConfig& config);

  double scale_;
  Dropout dropout_;
  const Parameter *down_, *up_;
};

}  // namespace trireme::models
