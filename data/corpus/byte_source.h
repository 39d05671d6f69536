#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace trireme::data {

/// Bytes that come one behind the other, from wherever they are.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /// Up to `size` bytes (1 or more); 0 at the end alone.
  /// @throws Error kIo, kCorrupt, naming the source and where in it; kInterrupted when a stop is asked for
  virtual std::size_t read(char* into, std::size_t size) = 0;
  /// Bytes taken from the file so far: packed ones when it is packed. For progress.
  virtual std::uint64_t bytes_taken() const = 0;
};

/// A file, a pipe or, with the path `-`, standard input. @throws Error kNotFound, kIo
std::unique_ptr<ByteSource> open_source(const std::filesystem::path& path);

/// Bytes that outlive the source.
std::unique_ptr<ByteSource> memory_source(std::string_view bytes);

/// What a Zstandard file (RFC 8878) holds: one frame or several, skippable ones too. Memory: the window that its frames
/// ask for, 128 MiB at most, which is what `zstd -d` allows unless told otherwise.
///
/// read() refuses by name and byte offset what is damaged, what ends within a frame, what is empty, and a larger
/// window.
/// @param name  for messages
std::unique_ptr<ByteSource> unpack_zstd(std::unique_ptr<ByteSource> packed, std::string name);

}  // namespace trireme::data
