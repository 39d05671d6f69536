#pragma once
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/descriptor.h"

namespace trireme::models {

/// The one start of a run that may change what is in it. No locks and no clocks: file systems that many nodes share
/// have neither to rely on, and a process that hung, or a node that was cut off, may wake up at any time.
///
/// Each start makes a folder of its own, RUN/owner/00000003, whose number counts the starts. It writes there, and what
/// it has written gets its name in the run by a rename out of that folder; what it removes from the run is renamed into
/// it first. Whoever starts next takes the folders of all before away: then every such rename of theirs fails, since
/// one of its two paths is gone, and nothing that they do by name can reach the run any more. Descriptors that they
/// hold open lead to files of old names: a new owner gives its logs new ones.
class RunOwner {
 public:
  /// The number of the newest start, 0 before the first. What a start finds when it begins; see claim().
  static std::int64_t newest(const std::filesystem::path& run);
  /// Makes this process the owner in place of any other. On one rank of a job.
  /// @param seen  newest() when this start began: one that hung before it came here must not end the one that took its
  ///              place
  /// @throws Error kTakenOver when another start has become the owner since, kIo
  static RunOwner claim(const std::filesystem::path& run, std::int64_t seen);
  /// For who reads nothing of the run before, and for tests.
  static RunOwner claim(const std::filesystem::path& run) { return claim(run, newest(run)); }
  RunOwner(RunOwner&& other) noexcept
      : run_(std::move(other.run_)),
        folder_(std::move(other.folder_)),
        mark_(std::move(other.mark_)),
        before_(std::move(other.before_)),
        generation_(other.generation_),
        names_(other.names_.load()) {}

  /// How often the run was started, this time included.
  std::int64_t generation() const { return generation_; }
  const std::filesystem::path& run() const { return run_; }
  /// Of this start; the other ranks of its job may write there as well.
  const std::filesystem::path& folder() const { return folder_; }
  /// Who owned the run before and has not said that it ended, for a message: "process 123 on host a, since ...".
  const std::optional<std::string>& before() const { return before_; }

  /// @throws Error kTakenOver, naming who, once another start owns the run; costs reading a small file
  void check() const;
  /// Says that this start has ended, so that the next one does not say otherwise. @throws Error kTakenOver
  void release() const;

  /// A name in folder() that nothing has. From any thread, as all below.
  std::filesystem::path fresh(const std::string& what) const;
  /// The file `path` of the run, whole or not at all, in place of what has the name; synced.
  /// @throws Error kTakenOver, kIo
  void put(const std::filesystem::path& path, std::string_view content) const;
  /// Likewise, open for appending. It was opened before it got its name, so what is appended is this start's alone.
  Descriptor put_log(const std::filesystem::path& path, std::string_view content) const;
  /// Gives a file or folder of folder() a name in the run. @throws likewise
  void give(const std::filesystem::path& from, const std::filesystem::path& to) const;
  /// Takes a file or folder out of the run at once, and then removes it. @throws likewise
  void remove(const std::filesystem::path& path) const;
  /// "step-00000100" becomes "step-00000100.MARK-1700000000". @returns the new path. @throws likewise
  std::filesystem::path set_aside(const std::filesystem::path& path, const char* mark) const;

 private:
  RunOwner(std::filesystem::path run, std::filesystem::path folder, std::int64_t generation)
      : run_(std::move(run)), folder_(std::move(folder)), generation_(generation) {}
  void take(const std::filesystem::path& folder) const;
  void put(const std::filesystem::path& path, std::string_view content, Descriptor* log) const;
  template <class Change>
  void change(Change make) const;

  std::filesystem::path run_, folder_;
  std::string mark_;
  std::optional<std::string> before_;
  std::int64_t generation_;
  mutable std::atomic<int> names_{0};
};

}  // namespace trireme::models
