#pragma once
#include <cstdint>
#include <filesystem>

namespace trireme::tune {

/// How often a trial was given back because of how its command ended. Attempts are no measure of that: stops and lost
/// runners make some too. Kept in the trial's folder (restarts.json), so that whoever goes on with it counts on.
struct Restarts {
  std::int64_t killed = 0;   ///< by a signal
  std::int64_t resumed = 0;  ///< ended with 75: to be gone on with

  bool operator==(const Restarts&) const = default;

  /// None where nothing, or nothing that can be read, is in the folder.
  static Restarts read(const std::filesystem::path& folder);
  /// @throws Error kIo
  void write(const std::filesystem::path& folder) const;
  static void forget(const std::filesystem::path& folder);
};

}  // namespace trireme::tune
