#pragma once
#include <memory>
#include <string>
#include <vector>

#include "models/model.h"

namespace trireme::models {

struct Family;

/// Builds the model of config.family, or a part of it; its parameters have no memory yet.
/// @throws Error kUsage for an unknown family, or for sizes or options that it cannot honour, naming the key
std::unique_ptr<Model> build_model(const ModelConfig& config, std::int64_t vocabulary, Part part = {});

std::vector<std::string> family_names();
/// @throws Error kUsage, naming the nearest family
const Family& find_family(const std::string& name);

}  // namespace trireme::models
