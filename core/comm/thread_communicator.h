#pragma once
#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/comm/communicator.h"

namespace trireme {

/// Ranks as threads of one process, for tests: what needs several ranks runs without mpirun, under a debugger and under
/// sanitizers. Not for work: all ranks share one lock, and sends copy.
///
/// A body that throws is a lost rank: every call of the others, waiting or later, throws kPeerLost with the rank and
/// the operation, as with MPI. Header alone, so that only tests pay for it.
namespace thread_ranks {

/// What the ranks of a group share.
struct Group {
  explicit Group(int ranks) : size(ranks), deposits(static_cast<std::size_t>(ranks)) {}

  const int size;
  std::mutex mutex;
  std::condition_variable changed;
  int lost = -1;  ///< the first rank whose body threw

  // A collective: everyone deposits a pointer, the last to arrive opens the gate; everyone reads, the last to leave
  // opens the next gate, so that no deposit changes while somebody reads it.
  std::vector<const void*> deposits;
  int arrived = 0;
  std::uint64_t gate = 0;

  // Message n of a channel (from, to, tag) pairs with receive n, whatever order they are waited for in.
  struct Channel {
    std::map<std::uint64_t, std::vector<char>> messages;
    std::uint64_t sent = 0, received = 0;
  };
  std::map<std::tuple<int, int, int>, Channel> channels;

  template <class Condition>
  void wait(std::unique_lock<std::mutex>& lock, const char* operation, Condition condition) {
    changed.wait(lock, [&] { return condition() || lost >= 0; });
    if (!condition()) fail(operation);
  }
  void check(const char* operation) const {
    if (lost >= 0) fail(operation);
  }
  [[noreturn]] void fail(const char* operation) const {
    throw Error(ErrorCode::kPeerLost, "rank ", lost, " is lost, noticed in ", operation);
  }
  void lose(int rank) {
    const std::scoped_lock lock(mutex);
    if (lost < 0) lost = rank;
    changed.notify_all();
  }
};

class Sent final : public Transfer {
 public:
  bool done() override { return true; }
  void wait() override {}
};

class Receive final : public Transfer {
 public:
  Receive(Group& group, Group::Channel& channel, std::uint64_t number, void* bytes, std::size_t size)
      : group_(group), channel_(channel), number_(number), bytes_(bytes), size_(size) {}
  bool done() override {
    const std::scoped_lock lock(group_.mutex);
    if (!taken_ && channel_.messages.contains(number_)) take();
    if (!taken_) group_.check("receive");
    return taken_;
  }
  void wait() override {
    std::unique_lock lock(group_.mutex);
    if (taken_) return;
    group_.wait(lock, "receive", [&] { return channel_.messages.contains(number_); });
    take();
  }

 private:
  void take() {
    const auto message = channel_.messages.extract(number_);
    if (message.mapped().size() != size_)
      throw Error(ErrorCode::kBug, "a receive of ", size_, " bytes met a send of ", message.mapped().size());
    if (size_ > 0) std::memcpy(bytes_, message.mapped().data(), size_);
    taken_ = true;
  }

  Group& group_;
  Group::Channel& channel_;
  const std::uint64_t number_;
  void* const bytes_;
  const std::size_t size_;
  bool taken_ = false;
};

class ThreadCommunicator final : public Communicator {
 public:
  ThreadCommunicator(Group& group, int rank) : group_(group), rank_(rank) {}

  int rank() const override { return rank_; }
  int size() const override { return group_.size; }

  std::unique_ptr<Transfer> start_send(const void* bytes, std::size_t size, int peer, const Tag& tag) override {
    const std::scoped_lock lock(group_.mutex);
    group_.check("send");
    Group::Channel& channel = group_.channels[{rank_, peer, tag.value}];
    const auto* begin = static_cast<const char*>(bytes);
    channel.messages[channel.sent++].assign(begin, begin + size);
    group_.changed.notify_all();
    return std::make_unique<Sent>();
  }
  std::unique_ptr<Transfer> start_receive(void* bytes, std::size_t size, int peer, const Tag& tag) override {
    const std::scoped_lock lock(group_.mutex);
    Group::Channel& channel = group_.channels[{peer, rank_, tag.value}];
    return std::make_unique<Receive>(group_, channel, channel.received++, bytes, size);
  }

  void barrier() override {
    exchange("barrier", nullptr, [] {});
  }
  void broadcast(void* bytes, std::size_t size, int root, const Site&) override {
    exchange("broadcast", bytes, [&] {
      if (rank_ != root && size > 0) std::memcpy(bytes, group_.deposits[static_cast<std::size_t>(root)], size);
    });
  }
  void all_gather(const void* mine, std::size_t size, void* all, const Site&) override {
    exchange("all_gather", mine, [&] {
      for (std::size_t rank = 0; rank < group_.deposits.size() && size > 0; ++rank)
        std::memcpy(static_cast<char*>(all) + rank * size, group_.deposits[rank], size);
    });
  }
  void all_max(std::int64_t* values, std::size_t count) override {
    const std::vector<std::int64_t> mine(values, values + count);
    exchange("all_max", mine.data(), [&] {
      for (const void* deposit : group_.deposits)
        for (std::size_t i = 0; i < count; ++i)
          values[i] = std::max(values[i], static_cast<const std::int64_t*>(deposit)[i]);
    });
  }

  void check() override {
    const std::scoped_lock lock(group_.mutex);
    group_.check("check");
  }

 private:
  template <class Read>
  void exchange(const char* operation, const void* mine, Read read) {
    std::unique_lock lock(group_.mutex);
    group_.check(operation);
    group_.deposits[static_cast<std::size_t>(rank_)] = mine;
    pass_gate(lock, operation);
    read();
    pass_gate(lock, operation);
  }
  void pass_gate(std::unique_lock<std::mutex>& lock, const char* operation) {
    const std::uint64_t gate = group_.gate;
    if (++group_.arrived == group_.size) {
      group_.arrived = 0;
      ++group_.gate;
      group_.changed.notify_all();
    } else {
      group_.wait(lock, operation, [&] { return group_.gate != gate; });
    }
  }

  Group& group_;
  const int rank_;
};

}  // namespace thread_ranks

/// Runs `body` on `ranks` threads and waits for all. Throws what the first rank to fail threw.
inline void run_on_threads(int ranks, const std::function<void(Communicator&)>& body) {
  thread_ranks::Group group(ranks);
  std::vector<std::exception_ptr> failures(static_cast<std::size_t>(ranks));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < ranks; ++rank)
    threads.emplace_back([&, rank] {
      thread_ranks::ThreadCommunicator communicator(group, rank);
      try {
        body(communicator);
      } catch (...) {
        failures[static_cast<std::size_t>(rank)] = std::current_exception();
        group.lose(rank);
      }
    });
  for (std::thread& thread : threads) thread.join();
  if (group.lost >= 0) std::rethrow_exception(failures[static_cast<std::size_t>(group.lost)]);
}

}  // namespace trireme
