#include "tune/trial/output_log.h"

#include <fcntl.h>

#include <array>
#include <cerrno>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/log.h"
#include "core/base/text.h"

namespace trireme::tune {
namespace {

constexpr std::size_t kTail = 4096;
constexpr std::size_t kMostAtOnce = std::size_t{1} << 20;

[[noreturn]] void fail(const char* call, const std::filesystem::path& path) {
  throw Error(path_error_code(errno), "cannot ", call, " ", path.string(), ": ", system_reason(errno));
}

bool ends_within_a_line(int file) {
  const off_t size = ::lseek(file, 0, SEEK_END);
  char last = '\n';
  return size > 0 && ::pread(file, &last, 1, size - 1) == 1 && last != '\n';
}

}  // namespace

OutputLog::OutputLog(const std::filesystem::path& path, const std::string& header)
    : path_(path), file_(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) {
  if (file_.get() < 0) fail("open", path_);
  errno = write((ends_within_a_line(file_.get()) ? "\n" : "") + header + "\n");
  if (errno != 0) fail("write", path_);
}

int OutputLog::write(std::string_view bytes) {
  while (!bytes.empty() && file_.get() >= 0) {
    const ssize_t put = ::write(file_.get(), bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return errno;
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return 0;
}

bool OutputLog::take(const std::function<void(std::string_view)>& look) {
  std::array<char, 1 << 16> buffer;
  std::size_t taken = 0;
  while (pipe_.get() >= 0 && taken < kMostAtOnce) {
    const ssize_t got = ::read(pipe_.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) break;
    if (got <= 0) {
      pipe_.close();
      break;
    }
    const std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
    if (const int reason = write(bytes)) {
      file_.close();
      log_warning("cannot write " + path_.string() + ": " + system_reason(reason) +
                  "; the command goes on, and what it writes is not kept");
    }
    look(bytes);
    tail_ += bytes;
    if (tail_.size() > kTail) tail_.erase(0, tail_.size() - kTail);
    taken += bytes.size();
  }
  return taken > 0;
}

std::string OutputLog::last_line(std::size_t limit) const {
  const std::size_t end = tail_.find_last_not_of(" \t\r\n");
  if (end == std::string::npos) return "";
  const std::size_t begin = tail_.find_last_of("\r\n", end);  // what moves in place (\r) is a line too
  const std::size_t first = begin == std::string::npos ? 0 : begin + 1;
  return one_line(std::string_view(tail_).substr(first, end - first + 1), limit);
}

}  // namespace trireme::tune
