#include "data/corpus/byte_source.h"

#include <fcntl.h>
#include <unistd.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/stop.h"

namespace trireme::data {
namespace {

class FileSource final : public ByteSource {
 public:
  explicit FileSource(const fs::path& path) : name_(path == "-" ? "standard input" : path.string()) {
    if (path == "-") {
      file_ = STDIN_FILENO;
      return;
    }
    // O_NONBLOCK: a named pipe without a writer is opened and waited for below, where a stop ends the wait.
    file_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file_ < 0)
      throw Error(errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo, "cannot open ", name_, ": ",
                  system_reason(errno));
    ::posix_fadvise(file_, 0, 0, POSIX_FADV_SEQUENTIAL);
  }
  ~FileSource() override {
    if (file_ != STDIN_FILENO) ::close(file_);
  }
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;

  std::size_t read(char* into, std::size_t size) override {
    for (;;) {
      if (!wait_for_input(file_)) throw_if_stop_requested();
      const ssize_t got = ::read(file_, into, size);
      if (got >= 0) {
        taken_ += static_cast<std::uint64_t>(got);
        return static_cast<std::size_t>(got);
      }
      if (errno != EINTR && errno != EAGAIN)
        throw Error(ErrorCode::kIo, "cannot read ", name_, " at byte ", taken_, ": ", system_reason(errno));
    }
  }
  std::uint64_t bytes_taken() const override { return taken_; }

 private:
  std::string name_;
  int file_ = -1;
  std::uint64_t taken_ = 0;
};

class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(std::string_view bytes) : bytes_(bytes) {}
  std::size_t read(char* into, std::size_t size) override {
    const std::size_t got = bytes_.copy(into, size, taken_);
    taken_ += got;
    return got;
  }
  std::uint64_t bytes_taken() const override { return taken_; }

 private:
  std::string_view bytes_;
  std::size_t taken_ = 0;
};

class ZstdSource final : public ByteSource {
 public:
  ZstdSource(std::unique_ptr<ByteSource> packed, std::string name)
      : packed_(std::move(packed)), name_(std::move(name)), stream_(ZSTD_createDStream(), ZSTD_freeDStream) {
    if (!stream_) throw Error(ErrorCode::kOutOfMemory, "no memory is left to unpack ", name_);
    ZSTD_DCtx_setParameter(stream_.get(), ZSTD_d_windowLogMax, kWindowLog);
  }

  std::size_t read(char* into, std::size_t size) override {
    ZSTD_outBuffer out{into, size, 0};
    while (out.pos == 0) {
      // What is unpacked and had no room comes out first, also behind the last packed byte.
      if (in_.pos == in_.size && !full_ && !refill()) return 0;
      const std::size_t result = ZSTD_decompressStream(stream_.get(), &out, &in_);
      if (ZSTD_isError(result)) fail(result);
      full_ = out.pos == out.size && result != 0;
      in_frame_ = result != 0;
    }
    return out.pos;
  }
  std::uint64_t bytes_taken() const override { return packed_->bytes_taken(); }

 private:
  static constexpr int kWindowLog = 27;

  std::uint64_t offset() const { return packed_->bytes_taken() - (in_.size - in_.pos); }

  // False behind the last frame.
  bool refill() {
    const std::size_t got = packed_->read(buffer_.data(), buffer_.size());
    in_ = {buffer_.data(), got, 0};
    if (got > 0) return true;
    if (in_frame_) throw Error(ErrorCode::kCorrupt, name_, " is cut: it ends at byte ", offset(), ", within a frame");
    if (offset() == 0) throw Error(ErrorCode::kCorrupt, name_, " is empty: one zstd frame or more is due");
    return false;
  }

  [[noreturn]] void fail(std::size_t result) const {
    if (ZSTD_getErrorCode(result) == ZSTD_error_frameParameter_windowTooLarge)
      throw Error(ErrorCode::kBadInput, name_, " has a frame at byte ", offset(), " that needs a window of over ",
                  (1 << kWindowLog) >> 20,
                  " MiB, which is all that is allowed; pack it again without --long=28 or above");
    throw Error(ErrorCode::kCorrupt, name_, " is damaged at byte ", offset(),
                " or before it: ", ZSTD_getErrorName(result));
  }

  std::unique_ptr<ByteSource> packed_;
  std::string name_;
  std::unique_ptr<ZSTD_DStream, std::size_t (*)(ZSTD_DStream*)> stream_;
  std::vector<char> buffer_ = std::vector<char>(std::size_t{128} << 10);
  ZSTD_inBuffer in_{};
  bool in_frame_ = false;  // also before the first one
  bool full_ = false;      // the last output was, so that more may wait inside the stream
};

}  // namespace

std::unique_ptr<ByteSource> open_source(const std::filesystem::path& path) {
  return std::make_unique<FileSource>(path);
}

std::unique_ptr<ByteSource> memory_source(std::string_view bytes) { return std::make_unique<MemorySource>(bytes); }

std::unique_ptr<ByteSource> unpack_zstd(std::unique_ptr<ByteSource> packed, std::string name) {
  return std::make_unique<ZstdSource>(std::move(packed), std::move(name));
}

}  // namespace trireme::data
