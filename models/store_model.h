#pragma once
#include <filesystem>
#include <string>

#include "models/checkpoint/write_checkpoint.h"
#include "models/model_source.h"

namespace trireme::models {

/// Writes a checkpoint that holds the weights of a source in their stored types, and the texts that go with it. Holds
/// some MiB in memory at a time.
/// @param training_json  the checkpoint's object about training
/// @throws Error kUsage when `to` exists; kCorrupt, kIo
Committed store_model(const ModelSource& from, const std::string& training_json, const std::filesystem::path& to);

}  // namespace trireme::models
