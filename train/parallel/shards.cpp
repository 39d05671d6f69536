#include "train/parallel/shards.h"

#include <algorithm>
#include <map>

#include "core/base/error.h"

namespace trireme::train {
namespace {

std::int64_t divided_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// The most blocks of a unit. 256 KiB to 4 MiB of float32: large enough that a message's latency does not count, small
// enough that the last exchange, which nothing overlaps with, is short; in between, about 32 units a rank make their
// shares nearly equal. With many ranks less, since a bucket's units are in memory together; with very large models
// more, since buckets are told apart by their number.
std::int64_t most_blocks(std::int64_t blocks, std::int64_t ranks) {
  constexpr std::int64_t kBucketBlocks = 4096, kBuckets = 8000;
  const std::int64_t most = std::clamp<std::int64_t>(kBucketBlocks / ranks, 1, 256);
  const std::int64_t wanted = std::clamp(divided_up(blocks, 32 * ranks), std::min<std::int64_t>(16, most), most);
  return std::max(wanted, divided_up(blocks, ranks * kBuckets));
}

}  // namespace

const Unit* Bucket::unit_of(int rank) const {
  const auto found = std::ranges::find(units, rank, &Unit::owner);
  return found == units.end() ? nullptr : &*found;
}

std::vector<Bucket> buckets_of(const RowLayout& layout, int ranks) {
  const std::int64_t most = most_blocks(layout.size / kBlockElements, ranks);
  std::vector<Bucket> buckets;
  std::map<std::int64_t, std::int64_t> first_unit;  // of each segment, by its begin
  std::int64_t number = 0;
  for (std::size_t i = 0; i < layout.segments.size(); ++i) {
    const RowLayout::Segment& segment = layout.segments[i];
    std::int64_t unit = segment.tied_begin < 0 ? number : first_unit.at(segment.tied_begin);
    first_unit[segment.begin] = unit;
    // Equal units: a short one at the end of each segment might always fall to the same rank.
    const std::int64_t blocks = (segment.end - segment.begin) / kBlockElements;
    const std::int64_t size = divided_up(blocks, divided_up(blocks, most)) * kBlockElements;
    for (std::int64_t begin = segment.begin; begin < segment.end; begin += size, ++unit) {
      if (begin == segment.begin || buckets.back().units.size() == static_cast<std::size_t>(ranks))
        buckets.push_back({i, begin, begin, {}});
      const std::int64_t end = std::min(segment.end, begin + size);
      buckets.back().units.push_back({begin, end, static_cast<int>(unit % ranks)});
      buckets.back().end = end;
    }
    if (segment.tied_begin < 0) number = unit;
  }
  if (buckets.size() > kMostBuckets)
    throw Error(ErrorCode::kUsage, "the model has too many parts to be shared out: ", layout.segments.size());
  return buckets;
}

std::vector<Stretch> stretches_of(const RowLayout& layout, const std::vector<std::size_t>& segments, int rank,
                                  const Groups& groups) {
  std::vector<Stretch> stretches;
  std::int64_t at = 0;
  const auto add = [&](std::int64_t begin, std::int64_t end) {
    stretches.push_back({begin, end - begin, at});
    at += end - begin;
  };
  const auto kept = [&](std::size_t segment) {
    return layout.segments[segment].tied_begin < 0 && std::ranges::find(segments, segment) != segments.end();
  };
  if (groups.size == 1) {
    for (std::size_t i = 0; i < layout.segments.size(); ++i)
      if (kept(i)) add(layout.segments[i].begin, layout.segments[i].end);
    return stretches;
  }
  for (const Bucket& bucket : buckets_of(layout, groups.ranks))
    for (const Unit& unit : bucket.units)
      if (kept(bucket.segment) && groups.keeps(rank, unit)) add(unit.begin, unit.end);
  return stretches;
}

}  // namespace trireme::train
