#include "models/checkpoint/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/hash.h"

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

std::string InputFile::xxh3_128() const {
  constexpr std::size_t kBuffer = std::size_t{256} << 10;  // stays in the second-level cache between read and hash
  std::vector<char> buffer(kBuffer);
  Xxh3Stream hash;
  for (std::uint64_t done = 0; done < size_;) {
    const auto bytes = static_cast<std::size_t>(std::min<std::uint64_t>(kBuffer, size_ - done));
    read(done, buffer.data(), bytes);
    hash.update(buffer.data(), bytes);
    done += bytes;
  }
  return hash.hex128();
}

}  // namespace trireme::models
