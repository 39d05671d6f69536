#pragma once
#include <memory>

#include "models/model.h"

namespace trireme::models {

/// The LLaMA architecture; see README.md beside this file. Tied or separate output matrix, grouped keys and values.
/// @throws Error kUsage naming the key that cannot be honoured
std::unique_ptr<Model> make_llama(const ModelConfig& config, std::int64_t vocabulary, Part part);

}  // namespace trireme::models
