#pragma once
#include <string>
#include <vector>

#include "core/base/error.h"
#include "models/checkpoint/input_file.h"
#include "models/checkpoint/manifest.h"

namespace trireme::models {

/// @throws Error kCorrupt; kBadInput for a version that is unknown; kIo
Manifest read_manifest(const InputDirectory& directory);

/// "rank-00000.h5: tensor weights/final_norm, bytes 4096 to 5120".
std::string slice_text(const std::string& tensor, const Manifest::Slice& slice);
/// What is wrong with a slice whose bytes have this checksum, naming file, tensor and byte range; empty when nothing
/// is.
std::string slice_fault(const std::string& tensor, const Manifest::Slice& slice, const std::string& found);

/// Whether an error of reading a checkpoint says that something is wrong with it, and not with how it was to be read.
bool is_damage(const Error& error);

/// What is to be read of the files of a checkpoint.
enum class Scope {
  kAll,   ///< every byte
  kRest,  ///< what lies in no slice of a tensor, for who reads and checks those; in version 1 every byte
};
/// Files that are missing, not of their size, damaged anywhere (naming tensor and byte range), or not the checkpoint's,
/// a line each. Every byte is read once; slices of version 1 twice.
/// @param part  of `parts`: every so many-th file, from this one on; part 0 looks for strange files too
std::vector<std::string> file_faults(const InputDirectory& directory, const Manifest& manifest,
                                     Scope scope = Scope::kAll, int part = 0, int parts = 1);

}  // namespace trireme::models
