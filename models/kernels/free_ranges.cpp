#include "models/kernels/free_ranges.h"

namespace trireme::models {

void FreeRanges::give(std::uintptr_t begin, std::size_t size) {
  const auto next = by_place_.lower_bound(begin);
  if (next != by_place_.end() && begin + size == next->first) {
    size += next->second;
    by_size_.erase({next->second, next->first});
    by_place_.erase(next);
  }
  const auto behind = by_place_.lower_bound(begin);
  if (behind != by_place_.begin()) {
    const auto [place, length] = *std::prev(behind);
    if (place + length == begin) {
      by_size_.erase({length, place});
      by_place_.erase(place);
      begin = place;
      size += length;
    }
  }
  by_place_.emplace(begin, size);
  by_size_.emplace(size, begin);
}

std::uintptr_t FreeRanges::take(std::size_t size) {
  const auto found = by_size_.lower_bound({size, 0});
  if (found == by_size_.end()) return 0;
  const auto [length, begin] = *found;
  by_size_.erase(found);
  by_place_.erase(begin);
  if (length > size) {
    by_place_.emplace(begin + size, length - size);
    by_size_.emplace(length - size, begin + size);
  }
  return begin;
}

}  // namespace trireme::models
