#pragma once
#include <cstddef>
#include <cstdint>
#include <future>

#include "core/base/durable.h"
#include "core/base/host_memory.h"

namespace trireme {

/// Bytes one behind the other from the start of a file on: some MiB are written past the page cache while the next ones
/// are made. Holds twice kWriteBehindBytes.
class WriteBehind {
 public:
  /// @param file  outlives this; nobody else writes to it meanwhile
  explicit WriteBehind(OutputFile& file);

  /// @throws Error kIo, of these or of earlier bytes
  void write(const void* bytes, std::size_t size);
  /// All are written. @throws Error kIo
  void finish();

 private:
  void write_full();

  OutputFile& file_;
  HostMemory filling_, writing_;
  std::size_t filled_ = 0;
  std::uint64_t at_ = 0;         // of filling_ in the file
  std::future<void> under_way_;  // waited for before what it reads goes
};

inline constexpr std::size_t kWriteBehindBytes = std::size_t{8} << 20;

}  // namespace trireme
