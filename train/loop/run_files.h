#pragma once
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace trireme::train {

/// What an evaluation found of one set of text.
struct SetLoss {
  std::string name;
  double loss = 0, bits_per_byte = 0;  ///< nats a token; bits a byte of text
  /// The same of the weights' average, where one is kept.
  std::optional<double> ema_loss, ema_bits_per_byte;
};
/// {"validation": {"loss": ..., "bits_per_byte": ...}, ...}
nlohmann::json to_json(const std::vector<SetLoss>& sets);

/// One logged step, as metrics.jsonl holds it (docs/formats/run.md).
struct StepRecord {
  std::int64_t step = 0, tokens = 0;
  double loss = 0, grad_norm = 0, learning_rate = 0;
  double tokens_per_second = 0, mfu = 0;
  double step_ms = 0, data_wait_ms = 0, checkpoint_stall_ms = 0;
  std::vector<SetLoss> eval;      ///< of this step, if it was evaluated; the first one is the main one
  std::int64_t memory_bytes = 0;  ///< resident, over all ranks
  std::string samples_hash;
};
/// As in metrics.jsonl, and back but for `eval`. @throws nlohmann::json::exception
nlohmann::json to_json(const StepRecord& record);
StepRecord record_from_json(const nlohmann::json& json);

/// The two logs of a run. They belong to rank 0; on other ranks, an object that writes nothing.
///
/// Opening them at a step drops records of later steps (a run that was killed had gone on after its last checkpoint) by
/// copying to a new file and renaming it, which also shuts out a process of an earlier start that still has the old one
/// open. A line cut short by a crash is dropped as well.
class RunFiles {
 public:
  /// @param has_record  false when the step's own record is still to come: one that is there goes as well
  /// @throws Error kIo
  RunFiles(const std::filesystem::path& run, std::int64_t step, bool writes, bool has_record = true);
  ~RunFiles();
  RunFiles(const RunFiles&) = delete;
  RunFiles& operator=(const RunFiles&) = delete;

  /// @throws Error kIo
  void metrics(const StepRecord& record);
  /// @param details  more members of the record
  void event(const std::string& name, std::int64_t step, const nlohmann::json& details);
  void event(const std::string& name, std::int64_t step);
  /// Whether the newest event is the run's end.
  bool has_ended() const { return ended_; }
  /// Makes what was written durable.
  void sync();

 private:
  void append(int file, const std::string& name, const nlohmann::json& record);
  int metrics_ = -1, events_ = -1;
  bool ended_ = false;
};

}  // namespace trireme::train
