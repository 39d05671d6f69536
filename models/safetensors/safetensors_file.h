#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/mapped_file.h"
#include "models/checkpoint/box.h"
#include "models/stored_type.h"

namespace trireme::models {

/// A tensor as a safetensors header declares it.
struct SafetensorsEntry {
  std::string name;
  StoredType type = StoredType::kFloat32;
  Extents shape;
  /// Of a published type that is not read here ("BOOL"), its name; `type` says nothing then. Such a tensor may lie
  /// beside weights, as masks do, and can only be passed over.
  std::string other_type{};
  std::uint64_t begin = 0, end = 0;  ///< bytes, counted from the end of the header
};

/// What stands before the tensors' bytes.
struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;        ///< in the order of their bytes
  std::map<std::string, std::string> metadata;  ///< "__metadata__"
  std::uint64_t bytes = 0;                      ///< of length and header: where the tensors' bytes begin
};

/// The rules of the format in full: a header of at most 100 MB that lies within the file, begins with '{', is UTF-8 and
/// JSON, names no tensor twice; shapes times types give the sizes stated, without overflow; tensors lie one behind the
/// other without hole or overlap and fill the file. A type that is not published is refused by name.
/// Source: https://github.com/huggingface/safetensors, README.md, "Format".
///
/// @param file_bytes  of the whole file
/// @param text        its beginning: at least 8 bytes where the file has them, and then all of the header
/// @param where       for messages: the path
/// @throws Error kCorrupt for what breaks a rule; kBadInput for a type that is not known
SafetensorsHeader parse_safetensors_header(std::string_view text, std::uint64_t file_bytes, const std::string& where);

/// Bytes of an element, also of a type that is not read here.
std::size_t element_bytes(const SafetensorsEntry& entry);
/// As headers spell it.
std::string_view dtype_of(const SafetensorsEntry& entry);

/// Bytes of length and header, from the first 8 bytes of a file. @throws Error kCorrupt
std::uint64_t safetensors_header_bytes(std::string_view text, std::uint64_t file_bytes, const std::string& where);

/// A safetensors file, mapped into memory: a tensor's bytes are read where they lie.
class SafetensorsFile {
 public:
  /// Reads and checks the header; no tensor is touched. @throws Error kNotFound, kIo, and as parse_safetensors_header
  explicit SafetensorsFile(const std::filesystem::path& path);

  const SafetensorsHeader& header() const { return header_; }
  const std::filesystem::path& path() const { return file_.path(); }
  /// Row-major, little-endian, `end - begin` of them, at any alignment. @throws Error kCorrupt when the file was cut
  /// meanwhile
  const char* data(const SafetensorsEntry& entry) const;
  /// So many bytes of a tensor, from one on, are not read again soon: they no longer count as this process's memory.
  void done_with(const SafetensorsEntry& entry, std::uint64_t begin, std::uint64_t bytes) const;

 private:
  MappedFile file_;
  SafetensorsHeader header_;
};

}  // namespace trireme::models
