#pragma once
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace trireme::data {

/// Reads items one after the other, works on them on several threads, and hands the results over in the order in which
/// the items were read:
///
///     bool read(Item&)              one call at a time, on any of the threads; false behind the last item
///     void work(Item&, int thread)  on `threads` threads at once, of which `thread` counts from 0
///     void take(Item&)              on the calling thread, in order
///
/// Memory is bounded: at most 2 * threads + 2 items exist, used again and again, so `read` clears what it fills; one of
/// kLargeItem bytes or more, by its size(), is made anew once it is taken; and nothing is read while those that are not
/// taken yet hold kOrderedBytes or more. The first error, in
/// the order of items, ends it and is thrown once all threads have ended; what comes before that item is taken.
inline constexpr std::size_t kOrderedBytes = std::size_t{32} << 20;
inline constexpr std::size_t kLargeItem = std::size_t{4} << 20;

template <class Item, class Read, class Work, class Take>
void in_order(int threads, Read read, Work work, Take take) {
  enum class State { kFree, kBusy, kDone };
  struct Slot {
    Item item;
    State state = State::kFree;
    std::size_t size = 0;
    bool last = false;  // it holds no item: there is none
    std::exception_ptr failure;
  };
  std::vector<Slot> slots(static_cast<std::size_t>(2 * threads + 2));
  std::mutex mutex;  // of all states and of `held`
  std::condition_variable changed;
  std::size_t held = 0;  // bytes of items that are read and not taken
  bool stopping = false;
  std::mutex reading;  // held while waiting for a slot and reading into it, so that items are numbered as they are read
  std::size_t next = 0;
  bool ended = false;

  const auto change = [&](const auto& action) {
    {
      const std::scoped_lock lock(mutex);
      action();
    }
    changed.notify_all();
  };
  // None when there is nothing more to read.
  const auto read_next = [&]() -> Slot* {
    const std::scoped_lock one_at_a_time(reading);
    if (ended) return nullptr;
    Slot& slot = slots[next++ % slots.size()];
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return stopping || (slot.state == State::kFree && held < kOrderedBytes); });
      if (stopping) return nullptr;
      slot.state = State::kBusy;
    }
    try {
      slot.last = ended = !read(slot.item);
      const std::scoped_lock lock(mutex);
      held += slot.size = slot.last ? 0 : slot.item.size();
    } catch (...) {
      slot.failure = std::current_exception();
      ended = true;
    }
    return &slot;
  };
  const auto run = [&](int thread) {
    while (Slot* slot = read_next()) {
      if (!slot->last && !slot->failure) {
        try {
          work(slot->item, thread);
        } catch (...) {
          slot->failure = std::current_exception();
        }
      }
      change([&] { slot->state = State::kDone; });
    }
  };

  class Threads {
   public:
    explicit Threads(std::function<void()> stop) : stop_(std::move(stop)) {}
    ~Threads() {
      stop_();
      for (std::thread& thread : all) thread.join();
    }
    std::vector<std::thread> all;

   private:
    std::function<void()> stop_;
  };
  Threads workers([&] { change([&] { stopping = true; }); });
  for (int thread = 0; thread < threads; ++thread) workers.all.emplace_back(run, thread);
  for (std::size_t number = 0;; ++number) {
    Slot& slot = slots[number % slots.size()];
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return slot.state == State::kDone; });
    }
    if (slot.failure) std::rethrow_exception(slot.failure);
    if (slot.last) return;
    take(slot.item);
    if (slot.size >= kLargeItem) {  // an assigned string would keep its memory
      std::destroy_at(&slot.item);
      std::construct_at(&slot.item);
    }
    change([&] {
      slot.state = State::kFree;
      held -= slot.size;
    });
  }
}

}  // namespace trireme::data
