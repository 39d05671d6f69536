#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/base/durable.h"
#include "core/base/write_behind.h"
#include "models/safetensors/safetensors_file.h"

namespace trireme::models {

/// The bytes before the tensors': length and header. Sets begin and end of each entry, in the order given, padded so
/// that tensors begin at a multiple of 8. @throws Error kBug for a name that comes twice or an impossible shape
std::string safetensors_header_text(std::vector<SafetensorsEntry>& entries,
                                    const std::map<std::string, std::string>& metadata);

/// Writes a file of which all is declared at first: bytes then follow in that order and go to the disk while the next
/// ones are made.
class SafetensorsWriter {
 public:
  /// @param entries  names, types and shapes. Wider types go first, so that every tensor lies at a multiple of its
  ///                 element's size. @throws Error kIo when the file exists or cannot be written
  SafetensorsWriter(const std::filesystem::path& path, std::vector<SafetensorsEntry> entries,
                    const std::map<std::string, std::string>& metadata);

  /// In the order in which their bytes are due.
  const std::vector<SafetensorsEntry>& entries() const { return entries_; }
  /// Size of the file.
  std::uint64_t bytes() const { return header_bytes_ + (entries_.empty() ? 0 : entries_.back().end); }
  /// The next bytes. @throws Error kIo
  void write(const void* bytes, std::size_t size);
  /// All are written: syncs and closes. @throws Error kIo; kBug when bytes are missing
  void finish();

 private:
  std::vector<SafetensorsEntry> entries_;
  std::uint64_t header_bytes_ = 0, at_ = 0;
  OutputFile file_;
  WriteBehind stream_;
};

}  // namespace trireme::models
