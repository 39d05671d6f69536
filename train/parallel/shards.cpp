#include "train/parallel/shards.h"

#include <algorithm>
#include <bit>
#include <map>

namespace trireme::train {
namespace {

// 256 KiB to 4 MiB of float32: large enough that a message's latency does not count, small enough that the last
// exchange, which nothing overlaps with, is short. In between, 32 units a rank make their shares nearly equal.
std::int64_t unit_elements(std::int64_t elements, int ranks) {
  const auto blocks = static_cast<std::uint64_t>(elements / kBlockElements / (32 * ranks));
  return static_cast<std::int64_t>(std::clamp<std::uint64_t>(std::bit_ceil(blocks), 16, 256)) * kBlockElements;
}

}  // namespace

const Unit* Bucket::unit_of(int rank) const {
  const auto found = std::ranges::find(units, rank, &Unit::owner);
  return found == units.end() ? nullptr : &*found;
}

std::vector<Bucket> buckets_of(const RowLayout& layout, int ranks) {
  const std::int64_t size = unit_elements(layout.size, ranks);
  std::vector<Bucket> buckets;
  std::map<std::int64_t, std::int64_t> first_unit;  // of each segment, by its begin
  std::int64_t number = 0;
  for (const RowLayout::Segment& segment : layout.segments) {
    std::int64_t unit = segment.tied_begin < 0 ? number : first_unit.at(segment.tied_begin);
    first_unit[segment.begin] = unit;
    for (std::int64_t begin = segment.begin; begin < segment.end; begin += size, ++unit) {
      if (begin == segment.begin || buckets.back().units.size() == static_cast<std::size_t>(ranks))
        buckets.push_back({begin, begin, {}});
      const std::int64_t end = std::min(segment.end, begin + size);
      buckets.back().units.push_back({begin, end, static_cast<int>(unit % ranks)});
      buckets.back().end = end;
    }
    if (segment.tied_begin < 0) number = unit;
  }
  return buckets;
}

std::vector<Stretch> stretches_of(const RowLayout& layout, int rank, int ranks) {
  if (ranks == 1) return {{0, layout.size, 0}};
  std::vector<Stretch> stretches;
  std::int64_t at = 0;
  for (const Bucket& bucket : buckets_of(layout, ranks)) {
    const Unit* unit = bucket.unit_of(rank);
    if (!unit || unit->begin >= layout.size) continue;
    stretches.push_back({unit->begin, unit->end - unit->begin, at});
    at += unit->end - unit->begin;
  }
  return stretches;
}

}  // namespace trireme::train
