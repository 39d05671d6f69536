#pragma once
#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

#include "core/base/host_memory.h"
#include "models/checkpoint/input_file.h"

namespace trireme::models {

/// Reads what is known to be wanted, in that order and past the page cache, while what came before it is looked at. Two
/// threads, so that the disk has the next request before it has answered one; 16 MiB of memory, whatever is wanted.
class ReadAhead {
 public:
  ReadAhead();
  /// What is being read is waited for.
  ~ReadAhead();
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  /// These bytes are wanted behind all that are wanted already.
  /// @param file  opened past the page cache; outlives this
  void expect(const InputFile& file, std::uint64_t offset, std::uint64_t bytes);
  /// Hands on what is wanted next, a part at a time, once it is there. @throws Error kCorrupt when the file ends
  /// before, kIo; then the rest of it has been passed over
  void take(const std::function<void(const char* bytes, std::size_t size)>& use) {
    if (const std::exception_ptr error = next(use)) std::rethrow_exception(error);
  }
  /// Nobody wants what is wanted next.
  void pass_over() {
    (void)next([](const char*, std::size_t) {});
  }

 private:
  static constexpr std::size_t kChunks = 4;
  static constexpr std::uint64_t kChunkBytes = std::uint64_t{4} << 20;
  struct Chunk {
    const InputFile* file;
    std::uint64_t offset, bytes;
    bool is_last;  // of what take() hands on
    bool is_here = false;
    std::exception_ptr error;
  };

  std::exception_ptr next(const std::function<void(const char*, std::size_t)>& use);
  char* place(std::uint64_t chunk);
  void work();

  HostMemory memory_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Chunk> chunks_;             // not yet taken
  std::uint64_t taken_ = 0, begun_ = 0;  // chunks so far
  bool give_up_ = false;
  std::array<std::thread, 2> threads_;
};

}  // namespace trireme::models
