#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "models/checkpoint/manifest.h"
#include "models/checkpoint/write_checkpoint.h"

namespace trireme::models {

/// A new HDF5 file with a dataset for each of some slices, with its tensor's shape, its offset and its type as
/// attributes. HDF5 makes everything but the elements; these are then written to their places without it.
/// @param slices  none without elements
/// @returns the place of each slice's first byte. @throws Error kIo, kBug
std::vector<std::uint64_t> lay_out_rank_file(const std::filesystem::path& path,
                                             const std::vector<const TensorSlice*>& slices);

/// What an HDF5 reader would see differently from the manifest, a line each. For files whose checksum holds: HDF5 is
/// not to be trusted with damaged ones.
std::vector<std::string> rank_file_faults(const std::filesystem::path& directory, const std::string& file,
                                          const Manifest& manifest);

}  // namespace trireme::models
