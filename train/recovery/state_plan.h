#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/checkpoint/checkpoint.h"
#include "train/optim/adamw.h"
#include "train/optim/anchor.h"
#include "train/parallel/flat_parameters.h"
#include "train/parallel/mesh.h"
#include "train/parallel/shards.h"

namespace trireme::train {

/// A row of numbers that a checkpoint holds, under names of its own, and where a rank keeps its part of it.
struct StateRow {
  const char* prefix;
  std::function<std::byte*(const Stretch&)> place;
};

/// Weights, moments and, where they are kept, the average and the weights' importance. What they are of outlives them.
std::vector<StateRow> state_rows(FlatParameters& parameters, AdamW& optimizer, Anchor* anchor = nullptr);

/// The type of their elements.
models::StoredType stored_type(const FlatParameters& parameters);

/// About how many bytes a checkpoint of so many rows has.
std::int64_t checkpoint_bytes(const FlatParameters& parameters, std::size_t rows);

/// Files smaller than this are a burden for parallel file systems: where all ranks would write such ones, fewer write.
inline constexpr std::int64_t kFewestFileBytes = std::int64_t{64} << 20;

/// How many of the ranks that have a stage of a pipeline write its state.
/// @param wanted  checkpoint.writers, of all stages; 0: as many as have kFewestFileBytes to write, and one at least
int writers_of_stage(std::int64_t wanted, std::int64_t bytes, const MeshShape& shape);

/// Some whole rows of a tensor: what is written, and read, at a time.
struct StateSlice {
  std::size_t entry = 0, row = 0;
  std::int64_t begin = 0, count = 0;  ///< elements of the entry
  int rank = 0;                       ///< who writes or reads it
  std::int64_t hashed_behind = 0;     ///< elements that it hashes beyond them: models::TensorSlice
};

/// Who writes and who reads what of a run's state: its tensors, one behind the other, in slices of whole rows of about
/// models::kSliceBytes. The ranks that have a stage of the pipeline deal what belongs to it out among them, each a
/// stretch of each row, so that every number passes a disk once, whether all of them have it or each a part.
class StatePlan {
 public:
  /// @param mesh  outlives this, as do all others
  StatePlan(const Mesh& mesh, FlatParameters& parameters, std::vector<StateRow> rows);

  /// Of the tensors of this rank's stage, in an order that is the same on all its ranks.
  /// @param writers  checkpoint.writers
  std::vector<StateSlice> slices(std::int64_t writers) const;

  /// What one rank has of a stretch of a row.
  struct Part {
    int rank;
    std::int64_t begin, count;  ///< in the row
  };
  /// Who has which part of `count` elements from `begin` on, which lie in one entry, among those that share the state
  /// out with `rank`, or `rank` itself.
  std::vector<Part> parts(std::int64_t begin, std::int64_t count, int rank) const;

  /// Where this rank keeps an element of a row.
  std::byte* own(std::size_t row, std::int64_t begin) const;

  std::string name(const StateSlice& slice) const;
  /// The box of a slice in its tensor: offset and size along the axes.
  struct Extent {
    std::vector<std::int64_t> offset, size;
  };
  Extent extent(const StateSlice& slice) const;

  const Mesh& mesh() const { return mesh_; }
  const FlatParameters& parameters() const { return parameters_; }
  const FlatParameters::Entry& entry(const StateSlice& slice) const { return parameters_.entries()[slice.entry]; }
  std::int64_t item() const { return item_; }
  /// Tensors of all stages.
  std::size_t tensors() const;

 private:
  const Mesh& mesh_;
  FlatParameters& parameters_;
  const std::vector<StateRow> rows_;
  const std::int64_t item_;               // bytes of an element
  std::vector<std::vector<Unit>> units_;  // of each segment, where rows are shared out
};

}  // namespace trireme::train
