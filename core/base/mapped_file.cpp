#include "core/base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/error.h"
#include "core/base/files.h"

namespace trireme {
namespace {

std::uint64_t page_size() {
  static const auto size = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return size;
}

[[noreturn]] void fail(const char* operation, const fs::path& path, int error_number) {
  if (error_number == ENOENT) throw Error(ErrorCode::kNotFound, "no file ", path.string());
  throw Error(ErrorCode::kIo, "cannot ", operation, " ", path.string(), ": ", system_reason(error_number));
}

}  // namespace

MappedFile::MappedFile(fs::path path, Access access) : path_(std::move(path)) {
  const int file = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) fail("open", path_, errno);
  struct stat status{};
  void* mapped = nullptr;
  int error_number = 0;
  if (::fstat(file, &status) != 0) {
    error_number = errno;
  } else if (!S_ISREG(status.st_mode)) {
    error_number = EINVAL;
  } else if (status.st_size > 0) {
    mapped = ::mmap(nullptr, static_cast<std::size_t>(status.st_size), PROT_READ, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED) error_number = errno;
  }
  ::close(file);  // the mapping stays; thousands of shards must not use up the descriptors
  if (error_number != 0) fail("map", path_, error_number);
  // Without this a touch reads as far around it as the disk's read-ahead says: 6.6 MiB for a sample of 4 KiB on a cold
  // file where that was measured, 8 KiB with it.
  if (mapped != nullptr && access == Access::kRandom)
    ::madvise(mapped, static_cast<std::size_t>(status.st_size), MADV_RANDOM);
  data_ = static_cast<const char*>(mapped);
  size_ = static_cast<std::uint64_t>(status.st_size);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<char*>(data_), size_);
}

void MappedFile::will_need(std::uint64_t offset, std::uint64_t bytes) const {
  const std::uint64_t begin = offset / page_size() * page_size();
  if (bytes > 0) ::madvise(const_cast<char*>(data_) + begin, offset + bytes - begin, MADV_WILLNEED);  // a hint
}

void MappedFile::done_with(std::uint64_t offset, std::uint64_t bytes) const {
  // Whole pages only: those at the ends hold other bytes too.
  const std::uint64_t begin = (offset + page_size() - 1) / page_size() * page_size();
  const std::uint64_t end = (offset + bytes) / page_size() * page_size();
  if (begin < end) ::madvise(const_cast<char*>(data_) + begin, end - begin, MADV_DONTNEED);
}

void MappedFile::require_size() const {
  struct stat status{};
  if (::stat(path_.c_str(), &status) != 0) fail("read", path_, errno);
  if (static_cast<std::uint64_t>(status.st_size) != size_)
    throw Error(ErrorCode::kCorrupt, path_.string(), " was changed while in use: it holds ", status.st_size, " bytes, ",
                size_, " are due");
}

}  // namespace trireme
