#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "models/checkpoint/manifest.h"

namespace trireme::models {

/// Writes the slices that have elements into a new HDF5 file, one dataset each with its tensor's shape, its offset and
/// its type as attributes, and returns what the manifest says of them. Not synced. @throws Error kIo, kBug
std::map<std::string, Manifest::Tensor> write_rank_file(const std::filesystem::path& path,
                                                        const CheckpointContent& content);

/// What an HDF5 reader would see differently from the manifest, a line each. For files whose checksum holds: HDF5 is
/// not to be trusted with damaged ones.
std::vector<std::string> rank_file_faults(const std::filesystem::path& directory, const std::string& file,
                                          const Manifest& manifest);

}  // namespace trireme::models
