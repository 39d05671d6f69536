#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "models/checkpoint/run_owner.h"
#include "train/loop/step_record.h"
#include "train/loop/tensorboard.h"
#include "train/recovery/save_interval.h"

namespace trireme::train {

/// The two logs of a run, and TensorBoard's view of them. They belong to rank 0; on other ranks, an object that writes
/// nothing.
///
/// Opening them at a step drops records of later steps (a run that was killed had gone on after its last checkpoint) by
/// copying to a new file and renaming it, which also shuts out a process of an earlier start that still has the old one
/// open. A line cut short by a crash is dropped as well.
///
/// While the disk is full, lines are kept in memory for some seconds: what fills it may be a save that is about to
/// fail.
class RunFiles {
 public:
  /// @param owner       rank 0's, else null
  /// @param has_record  false when the step's own record is still to come: one that is there goes as well
  /// @throws Error kIo, kTakenOver
  RunFiles(const models::RunOwner* owner, std::int64_t step, bool has_record = true);
  RunFiles(const RunFiles&) = delete;
  RunFiles& operator=(const RunFiles&) = delete;

  /// @throws Error kIo
  void metrics(const StepRecord& record);
  /// @param details  more members of the record
  void event(const std::string& name, std::int64_t step, const nlohmann::json& details);
  void event(const std::string& name, std::int64_t step);
  /// Whether the newest event is the run's end.
  bool has_ended() const { return ended_; }
  /// What the events tell of the starts before this one.
  const FailureHistory& history() const { return history_; }
  /// Makes what was written durable.
  void sync();
  /// Of the two logs alone, from any thread.
  void sync_logs() const;

 private:
  struct Log {
    std::string name;
    Descriptor file{-1};
    std::string left;  // what could not be written yet
  };
  void append(Log& log, const nlohmann::json& record);
  void write_left(Log& log, bool at_once);

  Log metrics_, events_;
  std::atomic<bool> is_behind_{false};                // the disk is full, and something is left
  std::chrono::steady_clock::time_point full_since_;  // then
  TensorBoard tensorboard_;
  bool ended_ = false;
  FailureHistory history_;
};

}  // namespace trireme::train
