#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <utility>

namespace trireme {

/// A file's bytes through the page cache, read-only. A process that touches mapped bytes which are gone by then (the
/// file was cut) gets SIGBUS, so call require_size() before each use.
class MappedFile {
 public:
  enum class Access {
    kRandom,   ///< a touch brings in the page it needs and not its neighbours: will_need() goes before a longer stretch
    kInOrder,  ///< it is read ahead
  };

  MappedFile() = default;
  /// @throws Error kNotFound, kIo
  explicit MappedFile(std::filesystem::path path, Access access = Access::kRandom);
  MappedFile(MappedFile&& other) noexcept
      : path_(std::move(other.path_)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  MappedFile& operator=(MappedFile&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~MappedFile();

  const char* data() const { return data_; }
  std::uint64_t size() const { return size_; }
  const std::filesystem::path& path() const { return path_; }

  /// Has the kernel read these bytes in one go, if they are not in memory. They must lie within the file.
  void will_need(std::uint64_t offset, std::uint64_t bytes) const;

  /// These bytes are not read again soon: they no longer count as this process's memory.
  void done_with(std::uint64_t offset, std::uint64_t bytes) const;

  /// That the file on disk has the size it was mapped with: one system call. @throws Error kNotFound, kCorrupt
  void require_size() const;

 private:
  std::filesystem::path path_;
  const char* data_ = nullptr;
  std::uint64_t size_ = 0;
};

}  // namespace trireme
