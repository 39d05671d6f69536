#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace trireme {

namespace fs = std::filesystem;

/// The whole file. @throws Error kNotFound, kIo; kBadInput when it holds more than `limit` bytes.
std::string read_file(const fs::path& path, std::uint64_t limit = std::uint64_t{1} << 32);

/// Writes beside `path`, syncs, renames over it and syncs the folder: a reader sees the old file or the whole new one.
/// @throws Error kIo with the operation and the reason; then `path` is untouched.
void write_file_atomically(const fs::path& path, std::string_view content);

/// The reason of a failed system call, as text: "No space left on device".
std::string system_reason(int error_number);
/// kNotFound where the path, or what it was, is gone (ESTALE: another node of a shared file system took it away); else
/// kIo.
ErrorCode path_error_code(int error_number);

}  // namespace trireme
