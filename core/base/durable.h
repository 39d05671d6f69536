#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/base/descriptor.h"
#include "core/base/files.h"

/// What has to be there after a crash: files that are written once, and names that appear at once. Each call takes the
/// name of what it is about, under which a test can let it fail (fault_points.h), and throws Error kIo (kNotFound where
/// a folder on the way is gone) with the call and the reason.
namespace trireme {

/// A file that this process writes and nobody reads before it is complete.
class OutputFile {
 public:
  enum class Open { kNew, kExisting };

  /// @param object  for fault points
  OutputFile(fs::path path, const char* object, Open open = Open::kNew);

  void write_at(std::uint64_t offset, const void* bytes, std::size_t size);
  /// The same past the page cache (O_DIRECT) as far as whole pages of the file come from whole pages of memory and the
  /// file system can: it takes little of the processor, and leaves in the cache what is read more often.
  void write_past_cache(std::uint64_t offset, const void* bytes, std::size_t size);
  /// Lets the system begin to bring these bytes to the disk, so that sync() has less left to wait for.
  void start_sync(std::uint64_t offset, std::uint64_t size);
  void sync();
  /// Some file systems tell of a failed write only here.
  void close();

 private:
  std::size_t write_some(int file, std::uint64_t offset, const char* from, std::size_t size);

  const fs::path path_;
  const char* const object_;
  Descriptor file_;
  Descriptor past_cache_{-1};
  bool has_past_cache_ = true;  // as far as is known
};

/// Creates, writes, syncs and closes.
void write_new_file(const fs::path& path, std::string_view content, const char* object);

/// What write_past_cache asks of places in files and memory.
inline constexpr std::size_t kDirectAlignment = 4096;

/// One folder, in a folder that is there.
void make_folder(const fs::path& path, const char* object);
/// @returns false when the name exists
bool make_new_folder(const fs::path& path, const char* object);

/// A folder that appears with all that `write` puts into it, or not at all; folders above it are made.
/// @throws Error kUsage when `to` exists, and as `write`
void make_whole_folder(const fs::path& to, const char* object, const std::function<void(const fs::path&)>& write);

/// fsync of a folder, which makes names in it durable.
void sync_folder(const fs::path& path, const char* object);

/// rename(2) that never replaces: of files by renameat2's RENAME_NOREPLACE, or where the file system knows none, by
/// link(2) and unlink(2); of folders a rename over one that is not empty fails everywhere.
/// @returns false when `to` exists
bool move_new(const fs::path& from, const fs::path& to, const char* object);

/// Two names change places at once. @returns false where the file system cannot
bool exchange_names(const fs::path& a, const fs::path& b, const char* object);

/// 32 hex digits that no other process draws: for names and marks.
std::string unique_token();

/// A file, or a folder with all in it; what cannot go is named in a warning. For what nobody looks for any more.
void remove_or_warn(const fs::path& path);

/// rename(2): replaces what has the name.
void move_over(const fs::path& from, const fs::path& to, const char* object);

}  // namespace trireme
