#include "models/checkpoint/read_ahead.h"

#include <algorithm>
#include <system_error>

#include "core/base/durable.h"
#include "core/base/error.h"

namespace trireme::models {

ReadAhead::ReadAhead() : memory_(kChunks * kChunkBytes) {
  for (std::thread& thread : threads_) try {
      thread = std::thread([this] { work(); });
    } catch (const std::system_error& error) {
      if (&thread == &threads_.front()) throw Error(ErrorCode::kIo, "cannot start a thread: ", error.what());
    }
}

ReadAhead::~ReadAhead() {
  {
    const std::lock_guard lock(mutex_);
    give_up_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_)
    if (thread.joinable()) thread.join();
}

// Of a chunk with this number.
char* ReadAhead::place(std::uint64_t chunk) {
  return reinterpret_cast<char*>(memory_.data()) + chunk % kChunks * kChunkBytes;
}

void ReadAhead::expect(const InputFile& file, std::uint64_t offset, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  for (const std::uint64_t end = offset + bytes; offset < end;) {
    // Chunks end where a request to the disk can begin.
    const std::uint64_t next = std::min(end, offset / kDirectAlignment * kDirectAlignment + kChunkBytes);
    chunks_.push_back({&file, offset, next - offset, next == end});
    offset = next;
  }
  changed_.notify_all();
}

std::exception_ptr ReadAhead::next(const std::function<void(const char*, std::size_t)>& use) {
  std::exception_ptr error;
  for (bool is_last = false; !is_last;) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return chunks_.front().is_here; });
    const Chunk chunk = chunks_.front();
    lock.unlock();
    is_last = chunk.is_last;
    if (!error) error = chunk.error;
    if (!error) use(place(taken_) + chunk.offset % kDirectAlignment, static_cast<std::size_t>(chunk.bytes));
    lock.lock();
    chunks_.pop_front();
    taken_ += 1;
    lock.unlock();
    changed_.notify_all();
  }
  return error;
}

void ReadAhead::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return give_up_ || (begun_ < taken_ + chunks_.size() && begun_ < taken_ + kChunks); });
    if (give_up_) return;
    const std::uint64_t number = begun_++;
    Chunk& chunk = chunks_[static_cast<std::size_t>(number - taken_)];  // stays where it is until it has been taken
    lock.unlock();
    std::exception_ptr error;
    try {
      const std::uint64_t before = chunk.offset % kDirectAlignment;
      chunk.file->read(chunk.offset - before, place(number), static_cast<std::size_t>(before + chunk.bytes));
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    chunk.error = error;
    chunk.is_here = true;
    changed_.notify_all();
  }
}

}  // namespace trireme::models
