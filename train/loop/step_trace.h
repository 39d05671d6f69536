#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>

#include "core/base/trace.h"
#include "core/comm/communicator.h"
#include "train/config/train_config.h"

namespace trireme::train {

/// log.trace: what each rank does in some steps of a run, as RUN/traces/steps-20-22/rank-00000.json, named by the steps
/// that were traced. One that cannot be written is a warning.
class StepTrace {
 public:
  /// @throws Error kUsage
  /// @param staging  RunOwner::folder()
  StepTrace(Communicator& world, const LogConfig& config, std::filesystem::path run, std::filesystem::path staging);
  ~StepTrace();
  StepTrace(const StepTrace&) = delete;
  StepTrace& operator=(const StepTrace&) = delete;

  /// Called by all ranks before step `step` begins and when all that belongs to it is done; steps count from 1.
  void before(std::int64_t step);
  /// @returns  whether the trace has been written
  bool after(std::int64_t step);
  /// Writes what there is where the run ends within the steps. @returns whether it has been written
  bool finish();
  std::filesystem::path folder() const;

 private:
  Communicator& world_;
  const std::optional<StepRange> steps_;
  const std::filesystem::path run_, staging_;
  std::int64_t first_ = 0, last_ = 0;
  std::optional<Trace> trace_;
  std::optional<TraceSpan> step_;
};

}  // namespace trireme::train
