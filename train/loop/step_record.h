#pragma once
#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

namespace trireme::train {

/// What an evaluation found of one set of text.
struct SetLoss {
  std::string name;
  double loss = 0;                      ///< nats a token, or a label
  std::optional<double> bits_per_byte;  ///< of text that has no labels
  /// The same of the weights' average, where one is kept.
  std::optional<double> ema_loss, ema_bits_per_byte;
  /// Share of labels that are found, and by the average.
  std::optional<double> accuracy{}, ema_accuracy{};
};
/// {"validation": {"loss": ..., "bits_per_byte": ... or "accuracy": ...}, ...}
nlohmann::json to_json(const std::vector<SetLoss>& sets);
/// The sets of an eval event, in order of name. Events of older versions know one, "validation". What is no set is
/// passed over.
std::vector<SetLoss> sets_of_event(const nlohmann::json& event);

/// One logged step, as metrics.jsonl holds it (docs/formats/run.md).
struct StepRecord {
  std::int64_t step = 0, tokens = 0;
  double loss = 0, grad_norm = 0, learning_rate = 0;
  double penalty = 0;  ///< that finetune.penalty adds to the loss, which `loss` leaves out
  double tokens_per_second = 0, mfu = 0;
  double step_ms = 0, data_wait_ms = 0, checkpoint_stall_ms = 0, checkpoint_write_ms = 0;
  std::vector<SetLoss> eval;      ///< of this step, if it was evaluated; the first one is the main one
  std::int64_t memory_bytes = 0;  ///< resident, over all ranks
  std::string samples_hash;
};

/// A number of a record: what it is called in metrics.jsonl, and as a scalar of TensorBoard.
struct Metric {
  const char* name;
  const char* tag;
  std::variant<double StepRecord::*, std::int64_t StepRecord::*> member;
  bool is_in_all = true;       ///< false: records of older versions lack it
  bool when_not_zero = false;  ///< else left out: of something that most runs have not
};

/// Every number of a record but its step. The log, TensorBoard's files and the reader of both walk this list.
inline constexpr std::array kMetrics = {
    Metric{"tokens", "train/tokens", &StepRecord::tokens},
    Metric{"loss", "train/loss", &StepRecord::loss},
    Metric{"grad_norm", "train/grad_norm", &StepRecord::grad_norm},
    Metric{"penalty", "train/penalty", &StepRecord::penalty, false, true},
    Metric{"learning_rate", "train/learning_rate", &StepRecord::learning_rate},
    Metric{"tokens_per_second", "speed/tokens_per_second", &StepRecord::tokens_per_second},
    Metric{"mfu", "speed/mfu", &StepRecord::mfu},
    Metric{"step_ms", "speed/step_ms", &StepRecord::step_ms},
    Metric{"data_wait_ms", "speed/data_wait_ms", &StepRecord::data_wait_ms},
    Metric{"checkpoint_stall_ms", "speed/checkpoint_stall_ms", &StepRecord::checkpoint_stall_ms},
    Metric{"checkpoint_write_ms", "speed/checkpoint_write_ms", &StepRecord::checkpoint_write_ms, false},
    Metric{"memory_bytes", "memory/resident_bytes", &StepRecord::memory_bytes},
};

/// The place of a member in kMetrics.
template <class Value>
constexpr std::size_t index_of(Value StepRecord::* member) {
  for (std::size_t i = 0; i < kMetrics.size(); ++i)
    if (const auto* found = std::get_if<Value StepRecord::*>(&kMetrics[i].member); found && *found == member) return i;
  throw std::logic_error("a member that is no metric");
}

/// Members of records that are no metric, and the events that readers look for.
namespace names {
inline constexpr const char *kStep = "step", *kTime = "time", *kSamplesHash = "samples_hash", *kEvalLoss = "eval_loss",
                            *kEvalBitsPerByte = "eval_bits_per_byte", *kEvalAccuracy = "eval_accuracy",
                            *kEvent = "event", *kPrompt = "prompt", *kText = "text", *kNumber = "number";
inline constexpr const char *kStart = "start", *kResumed = "resumed", *kEval = "eval", *kSample = "sample",
                            *kEnd = "end", *kCheckpointRequested = "checkpoint-requested",
                            *kCheckpointDurable = "checkpoint-durable", *kCheckpointFailed = "checkpoint-failed",
                            *kStopped = "stopped";
}  // namespace names

/// As in metrics.jsonl but for the time, and back but for `eval`. @throws nlohmann::json::exception
nlohmann::json to_json(const StepRecord& record);
StepRecord record_from_json(const nlohmann::json& json);

}  // namespace trireme::train
