#include "models/layers/adapter.h"

#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/base/error.h"
#include "core/base/text.h"
#include "models/kernels/ops.h"
#include "models/layer_list.h"

namespace trireme::models {

std::vector<bool> adapter_targets(const LoraConfig& config) {
  std::vector<bool> chosen(std::size(kAdapterTargets), config.targets == "all");
  if (config.targets == "all") return chosen;
  for (const std::string& name : split(config.targets, ',')) {
    const auto found = std::ranges::find(kAdapterTargets, name);
    if (found == std::end(kAdapterTargets))
      throw Error(ErrorCode::kUsage, "model.lora.targets must be all, or some of ",
                  join(std::vector<std::string>(std::begin(kAdapterTargets), std::end(kAdapterTargets)), ", "),
                  ", got '", name, "'");
    chosen[static_cast<std::size_t>(found - std::begin(kAdapterTargets))] = true;
  }
  return chosen;
}

std::optional<std::pair<std::int64_t, std::size_t>> adapter_target(std::string_view prefix) {
  const auto [layer, part] = split_block_name(prefix);
  if (layer < 0) return std::nullopt;
  const std::string_view name = part.substr(0, part.size() - 1);
  const std::size_t dot = name.rfind('.');
  const auto target = std::ranges::find(kAdapterTargets, name.substr(dot + 1));
  // Experts lie deeper, and have none.
  if (dot == std::string_view::npos || dot != name.find('.') || target == std::end(kAdapterTargets))
    return std::nullopt;
  return std::pair(layer, static_cast<std::size_t>(target - std::begin(kAdapterTargets)));
}

double adapter_alpha(const LoraConfig& config) {
  return config.alpha == 0 ? static_cast<double>(config.rank) : config.alpha;
}

double adapter_scale(const LoraConfig& config) {
  const auto rank = static_cast<double>(config.rank);
  return adapter_alpha(config) / (config.rank_stabilised ? std::sqrt(rank) : rank);
}

std::optional<Adapter> Adapter::of(ParameterList& parameters, const std::string& prefix, std::int64_t outputs,
                                   std::int64_t inputs, const ModelConfig& config) {
  if (config.lora.rank == 0) return std::nullopt;
  const auto place = adapter_target(prefix);
  if (!place || !adapter_targets(config.lora)[place->second]) return std::nullopt;
  const std::vector<bool> layers = layer_list(config.lora.layers, config.layers, "model.lora.layers");
  if (!layers[static_cast<std::size_t>(place->first)]) return std::nullopt;
  return Adapter(parameters, prefix, outputs, inputs, config.lora);
}

// Down starts with the deviation that Hugging Face's PEFT gives it, uniform between plus and minus 1 / sqrt(inputs).
Adapter::Adapter(ParameterList& parameters, const std::string& prefix, std::int64_t outputs, std::int64_t inputs,
                 const LoraConfig& config)
    : scale_(adapter_scale(config)),
      dropout_(config.dropout, prefix + "lora"),
      down_(&parameters.add(prefix + "lora-down.weight", {config.rank, inputs},
                            Init::normal(1 / std::sqrt(3 * static_cast<double>(inputs))), Role::kMatrix)),
      up_(&parameters.add(prefix + "lora-up.weight", {outputs, config.rank}, Init::zeros(), Role::kMatrix)) {}

at::Tensor Adapter::added(const at::Tensor& y, const at::Tensor& x, const ForwardPass& pass) const {
  const at::Tensor low = ops::linear(dropout_.forward(x, pass), down_->value);
  return y + ops::linear(low * scale_, up_->value);
}

}  // namespace trireme::models
