#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <utility>

namespace trireme::models {

/// Which ranges of addresses are free. Neighbours are joined, and a request gets a part of the smallest range that
/// holds it, the first of those: what is large stays whole for as long as it can. Keeps no memory itself.
class FreeRanges {
 public:
  /// [begin, begin + size) is free from here on. It overlaps none that is.
  void give(std::uintptr_t begin, std::size_t size);
  /// The first address of `size` that were free and no longer are; 0 if there is no such range.
  std::uintptr_t take(std::size_t size);

  /// For tests: begin -> size.
  const std::map<std::uintptr_t, std::size_t>& ranges() const { return by_place_; }

 private:
  std::map<std::uintptr_t, std::size_t> by_place_;
  std::set<std::pair<std::size_t, std::uintptr_t>> by_size_;
};

}  // namespace trireme::models
