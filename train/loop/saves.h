#pragma once
#include <cstdint>
#include <string>

#include "core/comm/communicator.h"
#include "train/config/train_config.h"
#include "train/loop/best_losses.h"
#include "train/loop/console.h"
#include "train/loop/deadline.h"
#include "train/loop/run_files.h"
#include "train/loop/save_clock.h"
#include "train/loop/step_record.h"
#include "train/recovery/checkpoint_saver.h"
#include "train/recovery/training_state.h"

namespace trireme::train {

/// The newest checkpoint that is known to be durable.
struct DurableStep {
  std::int64_t step = -1;    ///< -1: there is none
  std::string weights_hash;  ///< on rank 0
};

/// The saves of one start of a run: what came of each is logged and said once it is known, and counts for when the next
/// one is due. Ranks call alike what is not said to be of each rank alone.
class Saves {
 public:
  /// @param newest      what the run was restored from
  /// @param is_current  whether the state is still that
  Saves(Communicator& world, const TrainConfig& config, CheckpointSaver& saver, RunFiles& files, Console& console,
        Deadline& deadline, BestLosses losses, DurableStep newest, bool is_current);

  /// Begins to save; training goes on meanwhile. A save that is still under way is waited for; where this state is
  /// saved, or is being saved, nothing is done. @throws Error kPeerLost, kTakenOver
  void save(const TrainingState& state);
  /// The last save of this start, until it is durable: tried a few times, since nothing comes after it.
  /// @throws Error kIo, kPeerLost, kTakenOver
  void save_and_wait(const TrainingState& state);

  /// Of each rank alone, between other things: a checkpoint is to be durable as soon as it can be, not when a step
  /// ends.
  void poll();
  /// What rank 0 tells the others when a step ends, for advance().
  SavePhase phase() const { return saver_.phase(); }
  void advance(SavePhase told);

  /// Whether a save is due by rank 0's clock.
  bool is_due() const { return !saver_.is_under_way() && clock_.is_due(); }
  /// Whether a checkpoint with this loss would be kept for it, once the one under way is durable.
  bool would_keep(double loss) const { return losses_.would_keep(loss, config_.checkpoint.keep_best); }

  /// Puts what saves took since the last call into a record.
  void put_times(StepRecord& record);
  const DurableStep& newest() const { return newest_; }

 private:
  void wait();
  void tell(const CheckpointSaver::Outcome& outcome);
  void take(const CheckpointSaver::Outcome& outcome);

  Communicator& world_;
  const TrainConfig& config_;
  CheckpointSaver& saver_;
  RunFiles& files_;
  Console& console_;
  Deadline& deadline_;
  SaveClock clock_;
  BestLosses losses_;
  DurableStep newest_;
  std::int64_t saved_step_;  // of which the state, as it is, is saved or being saved; -1: none
  std::string failure_;      // of the one before
  double stall_ms_ = 0, write_ms_ = 0;
};

}  // namespace trireme::train
