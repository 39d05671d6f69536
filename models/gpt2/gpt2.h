#pragma once
#include <memory>

#include "models/model.h"

namespace trireme::models {

/// The GPT-2 architecture; see README.md beside this file. Tied or separate output matrix.
/// @throws Error kUsage naming the key that cannot be honoured
std::unique_ptr<Model> make_gpt2(const ModelConfig& config, std::int64_t vocabulary, Part part);

}  // namespace trireme::models
