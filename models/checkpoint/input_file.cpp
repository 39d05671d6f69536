#include "models/checkpoint/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "core/base/error.h"
#include "core/base/files.h"

namespace trireme::models {
namespace {

[[noreturn]] void fail(const char* operation, const std::string& path, int error_number) {
  throw Error(error_number == ENOENT || error_number == ENOTDIR ? ErrorCode::kNotFound : ErrorCode::kIo, "cannot ",
              operation, " ", path, ": ", system_reason(error_number));
}

}  // namespace

InputDirectory::InputDirectory(std::filesystem::path path)
    : path_(std::move(path)), descriptor_(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (descriptor_ < 0) fail("open", path_.string(), errno);
}

InputDirectory::~InputDirectory() { ::close(descriptor_); }

InputFile::InputFile(const InputDirectory& directory, const std::string& name)
    : path_((directory.path() / name).string()),
      // O_NONBLOCK: a pipe of that name must be refused below, not waited for.
      descriptor_(::openat(directory.descriptor(), name.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)) {
  if (descriptor_ < 0) fail("open", path_, errno);
  struct stat status{};
  const bool known = ::fstat(descriptor_, &status) == 0;
  const int reason = errno;
  if (!known || !S_ISREG(status.st_mode)) {
    ::close(descriptor_);
    if (!known) fail("read", path_, reason);
    throw Error(ErrorCode::kCorrupt, path_, " is not a regular file");
  }
  size_ = static_cast<std::uint64_t>(status.st_size);
}

InputFile::~InputFile() { ::close(descriptor_); }

void InputFile::read(std::uint64_t offset, void* out, std::size_t bytes) const {
  auto* to = static_cast<char*>(out);
  while (bytes > 0) {
    const ssize_t got = ::pread(descriptor_, to, bytes, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("read", path_, errno);
    if (got == 0) throw Error(ErrorCode::kCorrupt, path_, " ends at byte ", offset, ", ", bytes, " bytes early");
    to += got;
    offset += static_cast<std::uint64_t>(got);
    bytes -= static_cast<std::size_t>(got);
  }
}

void InputFile::update(Xxh3Stream& hash, std::uint64_t offset, std::uint64_t bytes) const {
  constexpr std::uint64_t kBuffer = std::uint64_t{256} << 10;  // stays in the second-level cache between read and hash
  std::vector<char> buffer(static_cast<std::size_t>(std::min(kBuffer, bytes)));
  while (bytes > 0) {
    const auto count = static_cast<std::size_t>(std::min(kBuffer, bytes));
    read(offset, buffer.data(), count);
    hash.update(buffer.data(), count);
    offset += count;
    bytes -= count;
  }
}

void InputFile::expect(std::uint64_t offset, std::uint64_t bytes) const {
  (void)::posix_fadvise(descriptor_, static_cast<off_t>(offset), static_cast<off_t>(bytes), POSIX_FADV_WILLNEED);
}

}  // namespace trireme::models
