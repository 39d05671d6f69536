#include "train/parallel/shards.h"

#include <gtest/gtest.h>

#include <map>

#include "train/parallel/placement.h"

namespace trireme::train {
namespace {

using models::Init;
using models::ParameterList;
using models::Role;

// A small embedding, five layers of uneven size, and an output that shares the embedding's weights.
void fill(ParameterList& list) {
  list.add("embedding.weight", {3000, 33}, Init::zeros(), Role::kTable);
  for (int layer = 0; layer < 5; ++layer) {
    const std::string prefix = "blocks." + std::to_string(layer) + ".";
    list.add(prefix + "up", {700 + 100 * layer, 999}, Init::zeros(), Role::kMatrix);
    list.add(prefix + "bias", {7}, Init::zeros(), Role::kBias);
  }
  list.add("norm.weight", {33}, Init::zeros(), Role::kNorm);
  list.add_tied("head.weight", list.all().front(), Role::kMatrix);
}

TEST(RowLayout, EachPartOfTheModelIsASegmentOfWholeBlocks) {
  ParameterList list;
  fill(list);
  const RowLayout layout(list);
  ASSERT_EQ(layout.segments.size(), 8u);
  std::int64_t end = 0;
  for (const RowLayout::Segment& segment : layout.segments) {
    EXPECT_EQ(segment.begin, end);
    EXPECT_EQ(segment.begin % kBlockElements, 0);
    EXPECT_EQ(segment.end % kBlockElements, 0);
    end = segment.end;
  }
  EXPECT_EQ(end, layout.gradient_size);
  EXPECT_EQ(layout.segments.back().tied_begin, layout.segments[6].begin);
  EXPECT_EQ(layout.segments[6].tied_begin, -1);
  EXPECT_EQ(layout.size, layout.segments[6].end);
  // Within its segment, a parameter.
  for (const auto& entry : layout.entries)
    EXPECT_EQ(std::ranges::count_if(layout.segments,
                                    [&](const auto& segment) {
                                      return entry.begin >= segment.begin && entry.begin + entry.count <= segment.end;
                                    }),
              1)
        << entry.parameter->name;
}

TEST(Shards, BucketsTileTheRowAndHoldEachOwnerOnce) {
  ParameterList list;
  fill(list);
  const RowLayout layout(list);
  for (const int ranks : {1, 2, 3, 4, 7, 64}) {
    std::int64_t end = 0;
    for (const Bucket& bucket : buckets_of(layout, ranks)) {
      EXPECT_EQ(bucket.begin, end);
      std::map<int, int> owners;
      for (const Unit& unit : bucket.units) {
        EXPECT_EQ(unit.begin, end);
        EXPECT_EQ(unit.begin % kBlockElements, 0);
        EXPECT_EQ(bucket.unit_of(unit.owner), &unit);
        EXPECT_EQ(++owners[unit.owner], 1);
        EXPECT_GE(unit.owner, 0);
        EXPECT_LT(unit.owner, ranks);
        end = unit.end;
      }
      EXPECT_EQ(bucket.end, end);
      EXPECT_EQ(bucket.unit_of(ranks), nullptr);
    }
    EXPECT_EQ(end, layout.gradient_size);
  }
}

TEST(Shards, TheGradientOfATiedWeightGoesToItsOwner) {
  ParameterList list;
  fill(list);
  const RowLayout layout(list);
  for (const int ranks : {2, 3, 5}) {
    std::map<std::int64_t, int> owner;  // of each block
    for (const Bucket& bucket : buckets_of(layout, ranks))
      for (const Unit& unit : bucket.units)
        for (std::int64_t block = unit.begin; block < unit.end; block += kBlockElements) owner[block] = unit.owner;
    const RowLayout::Segment& tied = layout.segments.back();
    for (std::int64_t block = tied.begin; block < tied.end; block += kBlockElements)
      EXPECT_EQ(owner.at(block), owner.at(block - tied.begin + tied.tied_begin)) << ranks;
  }
}

TEST(Shards, StretchesOfAllRanksAreTheWeightsInNearlyEqualShares) {
  ParameterList list;
  fill(list);
  const RowLayout layout(list);
  for (const auto& [ranks, group] : {std::pair{1, 1}, {2, 2}, {3, 3}, {4, 4}, {6, 6}, {4, 2}, {6, 3}, {6, 1}}) {
    std::vector<int> seen(static_cast<std::size_t>(layout.size / kBlockElements), 0);
    for (int rank = 0; rank < ranks; ++rank) {
      std::int64_t size = 0;
      for (const Stretch& stretch : stretches_of(layout, all_here(layout).at(0), rank, {ranks, group})) {
        EXPECT_EQ(stretch.at, size);
        size += stretch.count;
        for (std::int64_t at = stretch.begin; at < stretch.begin + stretch.count; at += kBlockElements)
          ++seen.at(static_cast<std::size_t>(at / kBlockElements));
      }
      EXPECT_NEAR(static_cast<double>(size) * group / static_cast<double>(layout.size), 1, 0.1) << ranks;
    }
    for (const int count : seen) EXPECT_EQ(count, ranks / group) << "once in each group";
  }
}

}  // namespace
}  // namespace trireme::train
