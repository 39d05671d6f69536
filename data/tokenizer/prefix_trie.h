#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>
#include <random>
#include <string_view>
#include <vector>

namespace trireme::data {

/// Texts by their prefixes: which of them does a text begin with? A step a byte, each one look-up in a hash table.
class PrefixTrie {
 public:
  PrefixTrie() {
    // A file made to collide must not slow every look-up.
    std::random_device device;
    seed_ = (std::uint64_t{device()} << 32 | device()) | 1;
    grow();
  }

  /// A text that is there already gets the new value.
  void put(std::string_view text, std::uint32_t value) {
    std::uint32_t node = kRoot;
    for (const char byte : text) {
      if (slots_.size() < 2 * (values_.size() + 1)) grow();
      Slot& slot = slots_[find(node, byte)];
      if (slot.child == kRoot) {
        slot = {key(node, byte), static_cast<std::uint32_t>(values_.size())};
        values_.push_back(kNone);
      }
      node = slot.child;
    }
    values_[node] = value;
  }

  /// Calls `each(std::size_t size, std::uint32_t value)` for each text that `text` begins with, the shortest first.
  /// @param from  node to begin at: see node_of()
  template <class Each>
  void for_each_prefix(std::string_view text, Each&& each, std::uint32_t from = kRoot) const {
    std::uint32_t node = from;
    for (std::size_t size = 1; size <= text.size(); ++size) {
      node = slots_[find(node, text[size - 1])].child;
      if (node == kRoot) return;
      if (values_[node] != kNone) each(size, values_[node]);
    }
  }

  static constexpr std::uint32_t kRoot = 0, kNone = ~std::uint32_t{0};
  /// Where texts go on that begin with `prefix`; kNone where there are none.
  std::uint32_t node_of(std::string_view prefix) const {
    std::uint32_t node = kRoot;
    for (const char byte : prefix) {
      node = slots_[find(node, byte)].child;
      if (node == kRoot) return kNone;
    }
    return node;
  }

 private:
  struct Slot {
    std::uint64_t key = 0;
    std::uint32_t child = kRoot;  // kRoot: free
  };

  static std::uint64_t key(std::uint32_t node, char byte) {
    return std::uint64_t{node} << 8 | static_cast<unsigned char>(byte);
  }
  std::size_t find(std::uint32_t node, char byte) const {
    const std::uint64_t wanted = key(node, byte);
    std::uint64_t mixed = (wanted ^ seed_) * 0x9E3779B97F4A7C15u;
    mixed = (mixed ^ mixed >> 32) * seed_;
    std::size_t at = static_cast<std::size_t>(mixed >> shift_);
    while (slots_[at].child != kRoot && slots_[at].key != wanted) at = (at + 1) & (slots_.size() - 1);
    return at;
  }
  void grow() {
    std::vector<Slot> old(std::max<std::size_t>(slots_.size() * 2, 64));
    old.swap(slots_);
    shift_ = 64 - std::countr_zero(slots_.size());
    for (const Slot& slot : old)
      if (slot.child != kRoot)
        slots_[find(static_cast<std::uint32_t>(slot.key >> 8), static_cast<char>(slot.key))] = slot;
  }

  std::vector<Slot> slots_;  // open addressing, at most half full
  std::vector<std::uint32_t> values_{kNone};
  std::uint64_t seed_;
  int shift_ = 0;
};

}  // namespace trireme::data
