#include "models/checkpoint/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "core/base/durable.h"
#include "core/base/error.h"
#include "core/base/files.h"

namespace trireme::models {
namespace {

ErrorCode code_of(int reason) {
  return reason == EIO ? ErrorCode::kCorrupt : path_error_code(reason);  // what a disk does not give back is damaged
}

[[noreturn]] void fail(const char* operation, const std::string& path, int reason) {
  throw Error(code_of(reason), "cannot ", operation, " ", path, ": ", system_reason(reason));
}

int open_input(const InputDirectory& directory, const std::string& name, int flags) {
  // O_NONBLOCK: a pipe of that name must be refused, not waited for.
  return ::openat(directory.descriptor(), name.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | flags);
}

}  // namespace

InputDirectory::InputDirectory(std::filesystem::path path)
    : path_(std::move(path)), descriptor_(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (descriptor() < 0) fail("open", path_.string(), errno);
}

InputFile::InputFile(const InputDirectory& directory, const std::string& name, PageCache page_cache)
    : path_((directory.path() / name).string()),
      page_cache_(page_cache),
      file_(open_input(directory, name, page_cache == PageCache::kPassedBy ? O_DIRECT : 0)) {
  if (file_.get() < 0 && errno == EINVAL) file_ = Descriptor(open_input(directory, name, 0));
  if (file_.get() < 0) fail("open", path_, errno);
  struct stat status{};
  if (::fstat(file_.get(), &status) != 0) fail("read", path_, errno);
  if (!S_ISREG(status.st_mode)) throw Error(ErrorCode::kCorrupt, path_, " is not a regular file");
  size_ = static_cast<std::uint64_t>(status.st_size);
}

void InputFile::read(std::uint64_t offset, void* out, std::size_t bytes) const {
  auto* to = static_cast<char*>(out);
  bool past_cache = page_cache_ == PageCache::kPassedBy;
  while (bytes > 0) {
    const std::size_t whole = (bytes + kDirectAlignment - 1) / kDirectAlignment * kDirectAlignment;
    const ssize_t got = ::pread(file_.get(), to, past_cache ? whole : bytes, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    // A file system that cannot after all, or a part that is none of pages: from here on as any other file.
    if (got < 0 && errno == EINVAL && past_cache && ::fcntl(file_.get(), F_SETFL, 0) == 0) {
      past_cache = false;
      continue;
    }
    if (got < 0) fail("read", path_, errno);
    if (got == 0) throw Error(ErrorCode::kCorrupt, path_, " ends at byte ", offset, ", ", bytes, " bytes early");
    const std::size_t put = std::min(bytes, static_cast<std::size_t>(got));
    to += put;
    offset += put;
    bytes -= put;
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

}  // namespace trireme::models
