#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "models/checkpoint/run_owner.h"
#include "train/loop/event_file.h"

namespace trireme::train {

/// RUN/tensorboard: the logs of a run once more, for TensorBoard and all that reads its files. Nothing is in there that
/// is not in the logs, so every start writes one new file from them and voids those of earlier starts: after a resume
/// no step is in there twice. A TensorBoard that watches the folder moves on to the new file, as its name sorts behind.
///
/// The file of the start before is emptied and goes only with the next start: TensorBoard opens the file that it stands
/// at anew for each read, and where that is gone it stays there for ever.
class TensorBoard {
 public:
  TensorBoard() = default;  ///< writes nothing
  /// Begins a new file; call metrics() and event() with what the logs hold, then void_older().
  /// @throws Error kIo
  explicit TensorBoard(const models::RunOwner& owner);

  /// Takes a line of metrics.jsonl.
  void metrics(const nlohmann::json& record);
  /// Takes a line of events.jsonl: evaluations and samples of text are shown, the rest is not.
  void event(const nlohmann::json& record);
  void void_older(const models::RunOwner& owner);

  void flush() { file_.flush(); }
  void sync() { file_.sync(); }

 private:
  std::filesystem::path path_;
  EventFile file_;
};

}  // namespace trireme::train
