#include "core/base/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "core/base/descriptor.h"
#include "core/base/durable.h"
#include "core/base/error.h"

namespace trireme {
namespace {

[[noreturn]] void fail(const char* operation, const fs::path& path, int error_number) {
  throw Error(path_error_code(error_number), "cannot ", operation, " ", path.string(), ": ",
              system_reason(error_number));
}

}  // namespace

std::string system_reason(int error_number) { return std::generic_category().message(error_number); }

ErrorCode path_error_code(int error_number) {
  const bool is_gone = error_number == ENOENT || error_number == ENOTDIR || error_number == ESTALE;
  return is_gone ? ErrorCode::kNotFound : ErrorCode::kIo;
}

std::string read_file(const fs::path& path, std::uint64_t limit) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) fail("open", path, errno);
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) fail("read", path, errno);
  if (S_ISDIR(status.st_mode)) fail("read", path, EISDIR);
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > limit)
    throw Error(ErrorCode::kBadInput, path.string(), " holds ", size, " bytes; at most ", limit, " are allowed");
  std::string content(size, '\0');
  std::size_t done = 0;
  for (;;) {  // to the end of the file, not to its stated size: pipes state none
    if (done == content.size()) content.resize(content.size() + (done == size ? 1 : 65536));
    const ssize_t got = ::read(file.get(), content.data() + done, content.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("read", path, errno);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
    if (done > limit)
      throw Error(ErrorCode::kBadInput, path.string(), " holds over ", limit, " bytes, which is all that is allowed");
  }
  content.resize(done);
  return content;
}

void write_file_atomically(const fs::path& path, std::string_view content) {
  constexpr const char* kObject = "file";
  fs::path temporary = path;
  temporary += ".tmp-" + std::to_string(::getpid());
  ::unlink(temporary.c_str());  // of a process that had our number and crashed
  try {
    write_new_file(temporary, content, kObject);
    move_over(temporary, path, kObject);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_folder(path.has_parent_path() ? path.parent_path() : fs::path("."), kObject);
}

}  // namespace trireme
