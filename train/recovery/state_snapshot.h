#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/host_memory.h"
#include "models/checkpoint/write_checkpoint.h"
#include "train/recovery/state_plan.h"

namespace trireme::train {

/// A copy, in host memory, of what this rank writes of a run's state (StatePlan), so that training goes on while it is
/// written. All ranks' copies together are one copy of the state. Ranks that share state out send each other what the
/// other writes, as much as an exchange of new weights for each of the rows.
///
/// Made once a run; all ranks make the same calls.
class StateSnapshot {
 public:
  /// @param writers  checkpoint.writers
  StateSnapshot(StatePlan plan, std::int64_t writers);

  /// What this rank writes; their data is what take() has copied.
  const std::vector<models::TensorSlice>& slices() const { return slices_; }
  /// Memory of the copy, which stays from the first take() on.
  std::int64_t bytes() const { return bytes_; }

  /// Takes the memory of the copy. @throws Error kOutOfMemory
  void reserve();
  /// Copies the state as it is now; then it may change. Nobody may read the slices meanwhile. @throws Error kPeerLost
  void take();

 private:
  struct Incoming {
    std::size_t row;
    std::int64_t begin;  // in the row
    std::int64_t at;     // in the copy
    std::vector<StatePlan::Part> parts;
  };
  struct Outgoing {
    std::size_t row;
    StatePlan::Part part;
    int to;
  };
  const StatePlan plan_;
  std::vector<models::TensorSlice> slices_;
  std::vector<Incoming> incoming_;  // of each slice
  std::vector<Outgoing> outgoing_;
  std::int64_t bytes_ = 0;
  HostMemory copy_;
};

}  // namespace trireme::train
