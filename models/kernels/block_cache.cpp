#include "models/kernels/block_cache.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <map>
#include <mutex>
#include <new>
#include <vector>

#include "models/kernels/free_ranges.h"

namespace trireme::models {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kPage = std::size_t{4} << 10;
constexpr std::size_t kSmall = std::size_t{512} << 10;
constexpr std::size_t kSlab = std::size_t{16} << 20, kLargeSlab = std::size_t{256} << 20;

// Before each block, in a cache line of its own, so that blocks stay aligned for vectors.
struct alignas(64) Header {
  std::uint32_t size_class = 0;  // 0: none, a large block
  std::size_t size = 0;          // of a large block, with this header
};

// Sizes are 64 * 2^n, and seven between each and the next: at most an eighth is left over.
std::uint32_t size_class_of(std::size_t bytes) {
  const std::size_t lines = (bytes + 63) / 64;
  if (lines <= 8) return static_cast<std::uint32_t>(lines == 0 ? 1 : lines);
  const auto shift = static_cast<std::uint32_t>(std::bit_width(lines - 1)) - 4;  // leaves a number of 8 to 15
  return 8 * shift + static_cast<std::uint32_t>((lines - 1) >> shift) + 1;
}

std::size_t bytes_of(std::uint32_t size_class) {
  if (size_class <= 8) return std::size_t{64} * size_class;
  const std::uint32_t shift = (size_class - 9) / 8, mantissa = (size_class - 9) % 8 + 9;
  return (std::size_t{64} * mantissa) << shift;
}

class BlockCache final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) override {
    void* block = take(bytes);
    return {block, block, &give_back, c10::Device(c10::DeviceType::CPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &give_back; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override { std::memcpy(to, from, bytes); }

  // Never destroyed: tensors may outlive every static object.
  static BlockCache& instance() {
    static auto* cache = new BlockCache;
    return *cache;
  }

  void restart_most_bytes() {
    const std::lock_guard lock(mutex_);
    counts_.most_bytes = counts_.bytes;
  }
  BlockCacheCounts counts() {
    const std::lock_guard lock(mutex_);
    return counts_;
  }

 private:
  void* take(std::size_t bytes) {
    if (bytes > (std::size_t{1} << 46)) throw std::bad_alloc();
    const std::lock_guard lock(mutex_);
    ++counts_.requests;
    void* const block = bytes < kSmall ? take_small(bytes) : take_large(bytes);
    counts_.bytes += size_of(static_cast<Header*>(block) - 1);
    counts_.most_bytes = std::max(counts_.most_bytes, counts_.bytes);
    return block;
  }

  static std::int64_t size_of(const Header* header) {
    return static_cast<std::int64_t>(header->size_class == 0 ? header->size : bytes_of(header->size_class));
  }

  // Of many sizes, over and over: a list for each, and no block is ever cut.
  void* take_small(std::size_t bytes) {
    const std::uint32_t size_class = size_class_of(bytes);
    if (free_.size() <= size_class) free_.resize(size_class + 1);
    if (auto& blocks = free_[size_class]; !blocks.empty()) {
      void* block = blocks.back();
      blocks.pop_back();
      return block;
    }
    ++counts_.allocations;
    const std::size_t size = bytes_of(size_class) + sizeof(Header);
    return new (size < kPage ? fresh(size) : cut(size)) Header{size_class, 0} + 1;
  }

  // What a step is made of: activations, which backward frees one by one while gradients come, whose sizes are others.
  // What was free before is cut for these, or a step would hold the most of both.
  void* take_large(std::size_t bytes) {
    const std::size_t size = (bytes + sizeof(Header) + kPage - 1) / kPage * kPage;
    // The oldest slab first: the rest of a new one costs nothing until it is used.
    std::uintptr_t begin = 0;
    std::size_t i = 0;
    for (; i < slabs_.size() && begin == 0; ++i) begin = slabs_[i].free.take(size);
    if (begin == 0) {
      const std::size_t length = std::max(size, kLargeSlab);
      const auto place = reinterpret_cast<std::uintptr_t>(fresh(length));
      slab_at_[place] = slabs_.size();
      slabs_.emplace_back().untouched = place;
      slabs_.back().free.give(place, length);
      begin = slabs_[i++].free.take(size);
    }
    if (std::uintptr_t& untouched = slabs_[i - 1].untouched; begin + size > untouched) {
      untouched = begin + size;
      ++counts_.allocations;
    }
    return new (reinterpret_cast<void*>(begin)) Header{0, size} + 1;
  }

  static void* fresh(std::size_t size) {
    void* memory = nullptr;
    if (::posix_memalign(&memory, size >= kHugePage ? kHugePage : alignof(Header), size) != 0) throw std::bad_alloc();
    if (size >= kHugePage) ::madvise(memory, size, MADV_HUGEPAGE);
    return memory;
  }

  // Blocks of some pages lie side by side in huge ones: a step of a small model goes through hundreds of them.
  void* cut(std::size_t size) {
    if (size > slab_left_) {
      slab_ = static_cast<std::byte*>(fresh(kSlab));
      slab_left_ = kSlab;
    }
    void* block = slab_;
    slab_ += size;
    slab_left_ -= size;
    return block;
  }

  static void give_back(void* block) {
    if (!block) return;
    BlockCache& cache = instance();
    const Header* header = static_cast<Header*>(block) - 1;
    const std::lock_guard lock(cache.mutex_);
    cache.counts_.bytes -= size_of(header);
    if (header->size_class != 0) {
      cache.free_[header->size_class].push_back(block);
      return;
    }
    const auto place = reinterpret_cast<std::uintptr_t>(header);
    cache.slabs_[std::prev(cache.slab_at_.upper_bound(place))->second].free.give(place, header->size);
  }

  std::mutex mutex_;
  std::vector<std::vector<void*>> free_;  // by size class
  struct Slab {
    FreeRanges free;
    std::uintptr_t untouched = 0;  // where what was never used begins
  };
  std::vector<Slab> slabs_;                        // of large blocks, the oldest first
  std::map<std::uintptr_t, std::size_t> slab_at_;  // their numbers, by where they begin
  std::byte* slab_ = nullptr;
  std::size_t slab_left_ = 0;
  BlockCacheCounts counts_;
};

}  // namespace

void cache_tensor_memory() { c10::SetCPUAllocator(&BlockCache::instance(), /*priority=*/255); }

BlockCacheCounts block_cache_counts() { return BlockCache::instance().counts(); }
void restart_most_bytes() { BlockCache::instance().restart_most_bytes(); }

}  // namespace trireme::models
