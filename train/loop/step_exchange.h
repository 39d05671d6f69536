#pragma once
#include <cstdint>
#include <vector>

#include "core/comm/communicator.h"
#include "train/parallel/fold.h"
#include "train/parallel/mesh.h"

namespace trireme::train {

/// What one micro-batch contributed to a step.
struct LeafReport {
  double loss = 0;            ///< its part of the step's loss
  std::uint64_t samples = 0;  ///< hash of what was read
};

/// Why a run stops before its end: bits, since ranks may have several.
enum StopReason : std::int64_t { kNone = 0, kSignal = 1, kTimeLimit = 2 };

/// What a rank has to say at the end of a step, and, once exchanged, what all have said.
struct StepReport {
  std::int64_t abandoned = 0;       ///< StopReason, seen while micro-batches were left; any rank's
  std::int64_t stop = 0;            ///< StopReason to stop after this step; any rank's
  std::int64_t save_phase = 0;      ///< SavePhase; rank 0's
  std::int64_t save_due = 0;        ///< by the clock; rank 0's, so that one clock decides
  std::int64_t resident_bytes = 0;  ///< now; the ranks' sum
  std::int64_t peak_bytes = 0;      ///< at any time; the ranks' sum
  double data_wait_ms = 0;          ///< the longest
};

/// Ranks tell each other, once a step, what they have to say; so a stop seen by one is known to all at the same step.
/// @param micro_batches  of the step, dealt out among the ranks of the data axis
/// @param report         this rank's; becomes the same on all
/// @param leaves         of this rank's share, where losses are known: on the last rank of the pipeline
/// @returns              the leaves of the whole step, in the order of micro-batches
std::vector<LeafReport> exchange(Communicator& world, const MeshShape& shape, std::int64_t micro_batches, Deal deal,
                                 StepReport& report, std::vector<LeafReport> leaves);

}  // namespace trireme::train
