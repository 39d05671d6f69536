#include "core/base/durable.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <random>

#include "core/base/error.h"
#include "core/base/fault_points.h"
#include "core/base/hash.h"
#include "core/base/log.h"

namespace trireme {
namespace {

[[noreturn]] void fail(const char* call, const fs::path& path, int reason) {
  throw Error(path_error_code(reason), "cannot ", call, " ", path.string(), ": ", system_reason(reason));
}

[[noreturn]] void fail_move(const fs::path& from, const fs::path& to, int reason) {
  throw Error(path_error_code(reason), "cannot rename ", from.string(), " to ", to.string(), ": ",
              system_reason(reason));
}

// A call of the system between its two points: its errno, or 0.
template <class Call>
int with_points(const char* object, const char* name, Call call) {
  if (const FaultPoints::Fault fault = FaultPoints::before(object, name); fault.error != 0) return fault.error;
  const int reason = call() == 0 ? 0 : errno;
  FaultPoints::after(object, name);
  return reason;
}

int open_output(const fs::path& path, const char* object, OutputFile::Open open) {
  const bool is_new = open == OutputFile::Open::kNew;
  int file = -1;
  const int reason = with_points(object, is_new ? "create" : "open", [&] {
    file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | (is_new ? O_CREAT | O_EXCL : 0), 0644);
    return file < 0 ? -1 : 0;
  });
  if (reason != 0) fail(is_new ? "create" : "open", path, reason);
  return file;
}

bool knows_no_flags(int reason) { return reason == EINVAL || reason == ENOSYS; }

}  // namespace

OutputFile::OutputFile(fs::path path, const char* object, Open open)
    : path_(std::move(path)), object_(object), file_(open_output(path_, object, open)) {}

std::size_t OutputFile::write_some(int file, std::uint64_t offset, const char* from, std::size_t size) {
  for (;;) {
    const FaultPoints::Fault fault = FaultPoints::before(object_, "write");
    if (fault.error != 0) fail("write", path_, fault.error);
    const bool is_cut = fault.most_bytes < size;
    const ssize_t put =
        ::pwrite(is_cut ? file_.get() : file, from, std::min(size, fault.most_bytes), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno == EINVAL && file != file_.get()) return 0;
    if (put < 0) fail("write", path_, errno);
    FaultPoints::after(object_, "write");
    return static_cast<std::size_t>(put);
  }
}

void OutputFile::write_at(std::uint64_t offset, const void* bytes, std::size_t size) {
  const auto* from = static_cast<const char*>(bytes);
  while (size > 0) {
    const std::size_t put = write_some(file_.get(), offset, from, size);
    from += put;
    offset += put;
    size -= put;
  }
}

void OutputFile::write_past_cache(std::uint64_t offset, const void* bytes, std::size_t size) {
  const auto* from = static_cast<const char*>(bytes);
  const auto are_pages = [&] {
    return size >= kDirectAlignment && offset % kDirectAlignment == 0 &&
           reinterpret_cast<std::uintptr_t>(from) % kDirectAlignment == 0;
  };
  while (has_past_cache_ && are_pages()) {
    if (past_cache_.get() < 0) past_cache_ = Descriptor(::open(path_.c_str(), O_WRONLY | O_DIRECT | O_CLOEXEC));
    const std::size_t put =
        past_cache_.get() < 0 ? 0
                              : write_some(past_cache_.get(), offset, from, size / kDirectAlignment * kDirectAlignment);
    has_past_cache_ = put > 0;
    from += put;
    offset += put;
    size -= put;
  }
  write_at(offset, from, size);
}

void OutputFile::start_sync(std::uint64_t offset, std::uint64_t size) {
  // A hint: what goes wrong shows in sync().
  (void)::sync_file_range(file_.get(), static_cast<off_t>(offset), static_cast<off_t>(size), SYNC_FILE_RANGE_WRITE);
}

void OutputFile::sync() {
  if (const int reason = with_points(object_, "sync", [&] { return ::fsync(file_.get()); }))
    fail("sync", path_, reason);
}

void OutputFile::close() {
  if (const int reason = with_points(object_, "close", [&] { return file_.close(); })) fail("write", path_, reason);
}

void write_new_file(const fs::path& path, std::string_view content, const char* object) {
  OutputFile file(path, object);
  file.write_at(0, content.data(), content.size());
  file.sync();
  file.close();
}

void make_folder(const fs::path& path, const char* object) {
  if (!make_new_folder(path, object)) fail("create", path, EEXIST);
}

bool make_new_folder(const fs::path& path, const char* object) {
  const int reason = with_points(object, "create", [&] { return ::mkdir(path.c_str(), 0755); });
  if (reason != 0 && reason != EEXIST) fail("create", path, reason);
  return reason == 0;
}

void make_whole_folder(const fs::path& to, const char* object, const std::function<void(const fs::path&)>& write) {
  const auto expect_free = [&](bool is_free) {
    if (!is_free) throw Error(ErrorCode::kUsage, to.string(), " exists; choose a name that is free");
  };
  expect_free(!fs::exists(to));
  const fs::path target = fs::absolute(to).lexically_normal();
  const fs::path folder = target.has_filename() ? target : target.parent_path();
  fs::create_directories(folder.parent_path());
  fs::path fresh = folder;
  fresh += ".tmp-" + unique_token().substr(0, 8);
  make_folder(fresh, object);
  try {
    write(fresh);
    sync_folder(fresh, object);
    expect_free(move_new(fresh, folder, object));
    sync_folder(folder.parent_path(), object);
  } catch (...) {
    remove_or_warn(fresh);
    throw;
  }
}

void sync_folder(const fs::path& path, const char* object) {
  const Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0) fail("open", path, errno);
  if (const int reason = with_points(object, "sync", [&] { return ::fsync(folder.get()); })) fail("sync", path, reason);
}

bool move_new(const fs::path& from, const fs::path& to, const char* object) {
  const int reason = with_points(object, "rename", [&] {
    int failed = ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE);
    if (failed == 0 || !knows_no_flags(errno)) return failed;
    // NFS and some parallel file systems.
    struct stat status{};
    if (::lstat(from.c_str(), &status) != 0) return -1;
    if (S_ISDIR(status.st_mode)) return ::rename(from.c_str(), to.c_str());
    failed = ::link(from.c_str(), to.c_str());
    return failed != 0 ? failed : ::unlink(from.c_str());
  });
  if (reason == EEXIST || reason == ENOTEMPTY) return false;
  if (reason != 0) fail_move(from, to, reason);
  return true;
}

bool exchange_names(const fs::path& a, const fs::path& b, const char* object) {
  const int reason = with_points(
      object, "exchange", [&] { return ::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE); });
  if (knows_no_flags(reason)) return false;
  if (reason != 0) fail_move(a, b, reason);
  return true;
}

void move_over(const fs::path& from, const fs::path& to, const char* object) {
  if (const int reason = with_points(object, "rename", [&] { return ::rename(from.c_str(), to.c_str()); }))
    fail_move(from, to, reason);
}

std::string unique_token() {
  std::random_device device;
  const std::array<unsigned, 8> words{device(), device(), device(), device(), device(), device(), device(), device()};
  return xxh3_128_hex(words.data(), sizeof words);
}

void remove_or_warn(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) log_warning("cannot remove " + path.string() + ": " + error.message());
}

}  // namespace trireme
