#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/host_memory.h"
#include "models/checkpoint/checkpoint.h"
#include "train/recovery/state_plan.h"

namespace trireme::train {

/// Reads a run's state back: each rank its share (StatePlan), so that a job reads every byte once whatever its layout,
/// and then hands on what others keep. Beside the state a rank holds what it reads for others alone, and 16 MiB.
class StateLoading {
 public:
  explicit StateLoading(StatePlan plan);

  /// Reads and checks this rank's share. Of each rank alone.
  /// @throws Error kCorrupt, kNotFound, kIo; kBadInput when it is another model's checkpoint
  void read(const models::Checkpoint& checkpoint);
  /// Gives every rank what it keeps, once all have read theirs; FlatParameters::publish() is then due. Called by all
  /// ranks. @throws Error kPeerLost
  void spread();

 private:
  void expect_model(const models::Checkpoint& checkpoint) const;
  bool keeps(const StateSlice& slice) const;
  std::byte* place(std::size_t slice) const;
  std::vector<StatePlan::Part> takers(const StateSlice& slice) const;

  const StatePlan plan_;
  const std::vector<StateSlice> slices_;  // of this rank's stage
  // Of each slice that this rank reads and does not keep whole: where in `read_`.
  std::vector<std::int64_t> places_;
  std::int64_t bytes_ = 0;
  HostMemory read_;
};

}  // namespace trireme::train
