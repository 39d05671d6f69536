#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

#include "core/base/descriptor.h"
#include "core/base/hash.h"

namespace trireme::models {

/// A directory held open: files in it are found through it even while the directory gets another name, so that a reader
/// never mixes the files of two checkpoints.
class InputDirectory {
 public:
  /// @throws Error kNotFound, kIo
  explicit InputDirectory(std::filesystem::path path);
  int descriptor() const { return descriptor_.get(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  Descriptor descriptor_;
};

/// A regular file of a directory, read by offset. Reads may come from many threads.
class InputFile {
 public:
  enum class PageCache {
    kUsed,
    kPassedBy,  ///< where the file system can: for what is read once
  };
  /// @throws Error kNotFound; kCorrupt when it is not a regular file; kIo
  InputFile(const InputDirectory& directory, const std::string& name, PageCache page_cache = PageCache::kUsed);

  std::uint64_t size() const { return size_; }
  /// Past the page cache `offset` and `out` are multiples of kDirectAlignment, and `out` has room for `bytes` rounded
  /// up to it. @throws Error kCorrupt when the file ends before or the disk cannot give the bytes back, kIo
  void read(std::uint64_t offset, void* out, std::size_t bytes) const;
  /// Adds these bytes to a hash. @throws Error kCorrupt when the file ends before, kIo
  void update(Xxh3Stream& hash, std::uint64_t offset, std::uint64_t bytes) const;

 private:
  std::string path_;
  PageCache page_cache_;
  Descriptor file_;
  std::uint64_t size_ = 0;
};

}  // namespace trireme::models
