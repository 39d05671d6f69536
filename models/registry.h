#pragma once
#include <memory>
#include <string>
#include <vector>

#include "models/model.h"

namespace trireme::models {

/// Builds the model of config.family, or a part of it; its parameters have no memory yet.
/// @throws Error kUsage for an unknown family, or for sizes that the family cannot honour, naming the key
std::unique_ptr<Model> build_model(const ModelConfig& config, std::int64_t vocabulary, Part part = {});

std::vector<std::string> family_names();

}  // namespace trireme::models
