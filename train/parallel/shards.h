#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "train/parallel/row_layout.h"

/// How ranks share out a row: who adds up which gradients, and who keeps which part of the optimizer's state. A pure
/// function of sizes.
namespace trireme::train {

/// What one rank adds up at a time: whole blocks of one segment.
struct Unit {
  std::int64_t begin = 0, end = 0;
  int owner = 0;
};

/// What is exchanged together: units of one segment that follow each other, each with another owner.
struct Bucket {
  std::size_t segment = 0;
  std::int64_t begin = 0, end = 0;
  std::vector<Unit> units;

  /// The unit of a rank, or null where it has none.
  const Unit* unit_of(int rank) const;
};

/// Tags tell their messages apart.
inline constexpr int kMostBuckets = 14000;

/// The buckets of a row of gradients, in its order. Units are dealt out in turn over the whole row, so that each rank
/// has its share of every part of the model and of all of it; the gradients of tied weights go to the owner of the
/// weights. @throws Error kUsage for a model of more than kMostBuckets
std::vector<Bucket> buckets_of(const RowLayout& layout, int ranks);

/// A part of the row of weights, and where it lies among the parts that a rank keeps.
struct Stretch {
  std::int64_t begin = 0, count = 0;
  std::int64_t at = 0;
};

/// Ranks of the data axis in groups of neighbours: each group keeps all of the row, each of its ranks a share of it; so
/// ranks of the same place in their group keep the same. One rank a group shares nothing out, one group everything.
struct Groups {
  int ranks = 1;  ///< of the data axis
  int size = 1;   ///< of a group; divides them

  int place(int rank) const { return rank % size; }
  bool keeps(int rank, const Unit& unit) const { return place(unit.owner) == place(rank); }
  /// The rank of the same group as `rank` that keeps a unit.
  int keeper(const Unit& unit, int rank) const { return rank / size * size + place(unit.owner); }
};

/// What `rank` keeps of these segments, in the order of the row: its units, or all of each segment where nothing is
/// shared out. Those of tied weights are nobody's.
std::vector<Stretch> stretches_of(const RowLayout& layout, const std::vector<std::size_t>& segments, int rank,
                                  const Groups& groups);

}  // namespace trireme::train
