#pragma once
#include <ATen/ops/from_blob.h>

#include "models/family.h"
#include "models/registry.h"

/// What tests of model families share.
namespace trireme::models::testing {

inline constexpr std::int64_t kVocabulary = 97;

inline ModelConfig small_config(const std::string& family) {
  ModelConfig config;
  config.family = family;
  config.layers = 2;
  config.width = 32;
  config.heads = 4;
  config.context = 16;
  if (family == "gemma2") {  // what sets it apart is off by default
    config.attention_softcap = 5;
    config.logit_softcap = 3;
    config.window = 4;
    config.window_layers = "0";
  }
  if (family == "gpt_neox" || family == "phi3") config.rope_share = 0.5;
  if (family == "mistral") config.window = 3;
  if (family == "mixtral" || family == "qwen3_moe") {
    config.experts.count = 4;
    config.experts.ffn = 24;
  }
  if (family == "qwen3_moe") config.experts.layers = "1";
  if (family == "qwen3") config.head_width = 6;
  return config;
}

/// The model of seed 1, or a part of it, with memory of its own.
inline std::unique_ptr<Model> made(const ModelConfig& config, at::ScalarType type = at::kDouble, Part part = {}) {
  auto model = build_model(config, kVocabulary, part);
  allocate(model->parameters(), type);
  for (Parameter& parameter : model->parameters().all()) {
    if (parameter.tied_to) continue;
    std::vector<double> values(static_cast<std::size_t>(parameter.elements()));
    initial_values(parameter, 1, 0, parameter.elements(), values.data());
    // Larger than a real start, so that attention is far from uniform.
    for (double& value : values) value *= parameter.init.kind == Init::kNormal ? 10 : 1;
    parameter.value.copy_(at::from_blob(values.data(), parameter.shape, at::kDouble));
  }
  return model;
}

}  // namespace trireme::models::testing
