#pragma once
#include <string>
#include <vector>

#include "models/checkpoint/input_file.h"
#include "models/checkpoint/manifest.h"

namespace trireme::models {

/// @throws Error kCorrupt; kBadInput for a version that is unknown; kIo
Manifest read_manifest(const InputDirectory& directory);

/// What is wrong with the bytes of a slice, naming file, tensor and byte range; empty when nothing is.
std::string slice_fault(const std::string& tensor, const Manifest::Slice& slice, const void* bytes);

/// Files that are missing, not of their size or checksum, or not the checkpoint's, a line each.
std::vector<std::string> file_faults(const InputDirectory& directory, const Manifest& manifest);

}  // namespace trireme::models
