#pragma once
#include <hdf5.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace trireme::hdf5 {

/// Owns an HDF5 identifier; each kind of object has its own closing function.
class Handle {
 public:
  Handle() = default;
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  hid_t id() const { return id_; }
  /// Closes now, so that a failed write surfaces. @throws Error kIo
  void close(const std::string& what);

 private:
  hid_t id_ = -1;
  herr_t (*close_)(hid_t) = nullptr;
};

/// Element types of our files. HDF5 1.10 has no bfloat16: it is stored as uint16 with the attribute `trireme-type`.
enum class Type { kUint8, kUint16, kUint32, kUint64, kInt32, kInt64, kFloat32, kFloat64 };
std::size_t size_of(Type type);

/// An HDF5 file. The library is not thread-safe: every call here takes one lock of the process. Errors come as Error
/// with file and object in the message; the library's own error stack is silenced.
///
/// All datasets are contiguous and allocated early, so each has one place in the file (`offset()`) and can be read or
/// mapped without HDF5 at all.
class File {
 public:
  /// A new file. @param align  where not 1: datasets of this many bytes or more begin at multiples of it
  /// @throws Error kIo when it exists or cannot be made
  static File create(const std::filesystem::path& path, std::uint64_t align = 1);
  /// Read-only. @throws Error kNotFound, kCorrupt
  static File open(const std::filesystem::path& path);

  /// Writes a whole dataset of `shape`; groups on the way are made. @throws Error kIo
  void write(const std::string& name, Type type, const std::vector<std::uint64_t>& shape, const void* data);
  /// An empty dataset that is filled by write_rows. @throws Error kIo
  void reserve(const std::string& name, Type type, const std::vector<std::uint64_t>& shape);
  /// Rows [begin, begin + count) of a dataset's first axis. @throws Error kIo
  void write_rows(const std::string& name, Type type, std::uint64_t begin, std::uint64_t count, const void* data);

  /// @throws Error kNotFound, kCorrupt
  std::vector<std::uint64_t> shape(const std::string& name) const;
  Type type(const std::string& name) const;
  /// Byte offset of a contiguous dataset in the file. @throws Error kCorrupt when it is not contiguous
  std::uint64_t offset(const std::string& name) const;
  /// The whole dataset, which must have this type and `bytes` bytes. @throws Error kCorrupt, kNotFound
  void read(const std::string& name, Type type, void* data, std::uint64_t bytes) const;

  /// Attributes of the file's root or, with `object`, of a dataset.
  void set_attribute(const std::string& object, const std::string& name, const std::string& value);
  void set_attribute(const std::string& object, const std::string& name, const std::vector<std::uint64_t>& value);
  std::string text_attribute(const std::string& object, const std::string& name) const;
  std::vector<std::uint64_t> number_attribute(const std::string& object, const std::string& name) const;

  /// Flushes and closes, so that a full disk surfaces here and not in a destructor. @throws Error kIo
  void close();

 private:
  File(Handle file, std::filesystem::path path) : file_(std::move(file)), path_(std::move(path)) {}
  Handle open_dataset(const std::string& name) const;
  [[noreturn]] void fail(bool writing, const char* operation, const std::string& name) const;

  Handle file_;
  std::filesystem::path path_;
};

}  // namespace trireme::hdf5
