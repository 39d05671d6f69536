#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "train/config/train_config.h"

/// What each rank of a pipeline does, in which order: a pure function of sizes.
namespace trireme::train {

/// A part of one micro-batch's way through one stage.
enum class Work : std::uint8_t {
  kForward,
  kBackward,        ///< of inputs and weights
  kBackwardInput,   ///< of inputs alone: what the stage before waits for ...
  kBackwardWeight,  ///< ... and of weights, which nobody waits for
};

struct Action {
  Work work = Work::kForward;
  std::int64_t micro_batch = 0;
  int chunk = 0;  ///< which of the rank's stages
  bool operator==(const Action&) const = default;
};

/// How stages take turns.
enum class PipelineOrder : std::uint8_t {
  /// One forward, one backward. Narayanan et al. 2019, "PipeDream"; 2021, arXiv:2104.04473, section 2.2.
  kOneForwardOneBackward,
  /// The same with backward split in two, whose second half fills what would be waiting: schedule ZB-H1 of Qi et al.
  /// 2023,
  /// arXiv:2401.10241, section 3.1, which holds as many activations as 1F1B.
  kZeroBubble,
};

/// That of parallel.pipeline-order.
PipelineOrder pipeline_order(const TrainConfig& config);

struct PipelineShape {
  int ranks = 1;
  /// Stages of each rank: stage s is chunk s / ranks of rank s % ranks (interleaving: arXiv:2104.04473, section 2.2).
  int chunks = 1;
  std::int64_t micro_batches = 1;
  PipelineOrder order = PipelineOrder::kOneForwardOneBackward;
  int stages() const { return ranks * chunks; }
};

struct PipelineSchedule {
  std::vector<std::vector<Action>> actions;       ///< of each rank, in order
  std::vector<std::vector<std::int64_t>> begins;  ///< when, on the clock of `bubble`
  /// Micro-batches times chunks whose activations each rank holds at most.
  std::vector<std::int64_t> most_held;
  /// Share of the ranks' time in which they wait, if a forward takes as long as either half of a backward, on every
  /// stage, and messages take no time: (P - 1) / (M C + P - 1) for P ranks, C chunks and M micro-batches, a multiple of
  /// P where C is not 1; with the backward split, (P - 1) / (3 M C + P - 1).
  double bubble = 0;
};

/// Every stage does its micro-batches in order, forward and backward, and what a rank waits for is always on its way:
/// ranks that do their actions in order never wait for each other in a circle.
PipelineSchedule pipeline_schedule(const PipelineShape& shape);

/// The order of a rank's forward passes where none has a backward: micro-batch by micro-batch, all of a chunk first.
std::vector<Action> forward_passes(int chunks, std::int64_t micro_batches);

/// For people: a line a rank, time from left to right, "F3" the forward of micro-batch 3, "B" its backward, "I" and "W"
/// the halves of one, "b" behind them the rank's second stage. Cut where a line would outgrow `width`.
std::string drawn(const PipelineSchedule& schedule, std::size_t width);

}  // namespace trireme::train
