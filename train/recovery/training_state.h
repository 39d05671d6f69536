#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "train/config/train_config.h"
#include "train/loop/run_files.h"

namespace trireme::train {

/// Where a run stands after a step: everything beside tensors that it needs to go on, and the result that it prints.
/// Kept in a checkpoint as its training object.
struct TrainingState {
  std::int64_t step = 0;    ///< steps done
  std::int64_t tokens = 0;  ///< tokens trained on
  /// XXH3-128 chained over the sample ids of all steps, in the order of micro-batches.
  std::string samples_hash = std::string(32, '0');
  double loss = 0;                                          ///< of the last step
  std::optional<double> eval_loss;                          ///< newest, nats a token
  std::optional<double> eval_bits_per_byte, eval_accuracy;  ///< of it: that of text without labels, or with
  std::optional<std::int64_t> eval_step;                    ///< of that evaluation; nothing in older checkpoints too
  /// The record of this step, when its evaluation was stopped: it is then made at the next start, and logged with it.
  std::optional<StepRecord> unfinished;
  double tokens_per_second = 0;  ///< of the part since the last start, its first three steps left out
  double seconds_to_first_step = 0;
  std::int64_t peak_memory_bytes = 0;
  /// `steps` of the config when it was saved, which shaped the learning rates so far; nothing in older checkpoints.
  std::optional<std::int64_t> planned_steps;
  std::string corpus_hash;  ///< content of the training split
  std::string fingerprint;  ///< what decides the bits beside the config: see machine_fingerprint()
};

std::string to_json(const TrainingState& state, const TrainConfig& config);
/// @throws Error kCorrupt
TrainingState state_from_json(const std::string& json, const std::string& origin);

/// Threads, vector instructions and library versions: with another one the same config gives other bits.
std::string machine_fingerprint(std::int64_t threads);

}  // namespace trireme::train
