#pragma once
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/comm/communicator.h"
#include "models/checkpoint/checkpoint.h"
#include "train/optim/adamw.h"
#include "train/parallel/flat_parameters.h"
#include "train/parallel/mesh.h"
#include "train/parallel/shards.h"

namespace trireme::train {

/// A row of numbers that a checkpoint holds, under names of its own, and where a rank keeps its part of it.
struct StateRow {
  const char* prefix;
  std::function<std::byte*(const Stretch&)> place;
};

/// Weights, moments and, where one is kept, the average.
std::vector<StateRow> state_rows(FlatParameters& parameters, AdamW& optimizer);

/// The type of their elements.
models::StoredType stored_type(const FlatParameters& parameters);

/// What a stretch of the row holds of an entry, in elements.
struct Overlap {
  std::int64_t in_stretch, in_entry, count;
};
std::optional<Overlap> overlap(const FlatParameters::Entry& entry, std::int64_t begin, std::int64_t count);

/// Brings the tensors of rows, of which each rank has a part, to the ranks that write them, slice by slice: whatever
/// the layout, a rank holds two slices beside its own state.
///
/// Called by all ranks. None may change its rows before finish() has returned on it.
class TensorGathering {
 public:
  /// Starts to send what others write. @param mesh  outlives this, as do all others
  TensorGathering(const Mesh& mesh, FlatParameters& parameters, std::vector<StateRow> rows);
  ~TensorGathering();
  TensorGathering(const TensorGathering&) = delete;
  TensorGathering& operator=(const TensorGathering&) = delete;

  /// What this rank writes: whole tensors, each in slices of whole rows, in order, of about models::kSliceBytes.
  const std::vector<models::TensorSlice>& slices() const { return slices_; }
  /// The bytes of slices()[i], asked for in order; valid until the next is asked for. @throws Error kPeerLost
  const void* data(std::size_t i);
  /// Takes what has not been asked for, and waits until all others have what this rank sends: due whether or not a
  /// writer failed. @throws Error kPeerLost
  void finish();

 private:
  // Some rows of a tensor.
  struct Slice {
    std::size_t entry, row;
    std::int64_t begin, count;  // elements
    int writer;
  };
  // Of a slice, what one rank has.
  struct Part {
    int from;
    std::int64_t begin, count;  // in the row
  };
  struct Incoming {
    std::unique_ptr<std::byte[]> bytes;
    const std::byte* whole = nullptr;
    std::vector<std::unique_ptr<Transfer>> under_way;
  };

  std::vector<Slice> all_slices() const;
  std::vector<Part> parts(const Slice& slice) const;
  const std::byte* own(const Slice& slice, const Part& part) const;
  void start_next();

  const Mesh& mesh_;
  FlatParameters& parameters_;
  const std::vector<StateRow> rows_;
  const std::int64_t item_;
  std::vector<std::vector<Unit>> units_;  // of each segment, where rows are shared out
  std::vector<Slice> mine_;
  std::vector<models::TensorSlice> slices_;
  std::vector<std::unique_ptr<Transfer>> sends_;
  std::deque<Incoming> incoming_;  // from asked_ on
  std::size_t asked_ = 0, started_ = 0;
};

}  // namespace trireme::train
