#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "models/checkpoint/run_checkpoints.h"
#include "models/checkpoint/run_owner.h"
#include "train/config/train_config.h"
#include "train/optim/adamw.h"
#include "train/parallel/flat_parameters.h"
#include "train/parallel/mesh.h"
#include "train/recovery/state_snapshot.h"

namespace trireme::train {

/// Where a save stands, as rank 0 tells the others.
enum class SavePhase : std::int64_t {
  kDone,    ///< there is none, or it is durable
  kFailed,  ///< it has failed
  kBusy,
};

models::Retention retention_of(const CheckpointConfig& config);

/// Saves a run while it trains.
///
/// start() copies the state (StateSnapshot) and returns; a thread of each rank then writes that rank's share and syncs
/// it. Threads speak to no other rank: poll(), which ranks call between other things, sends what a rank has written of
/// the manifest to rank 0, whose thread commits the checkpoint once it has all of them. That needs no step to end and
/// no rank to wait. In the exchange that ends a step rank 0 then tells what came of it. There is one save under way at
/// a time, and one copy.
class CheckpointSaver {
 public:
  /// What came of a save.
  struct Outcome {
    std::int64_t step = 0;
    std::string failure;       ///< empty: it is durable
    std::string weights_hash;  ///< on rank 0
    std::int64_t bytes = 0;    ///< likewise: of all files
    double stall_ms = 0;       ///< that training stood still for it
    double write_ms = 0;       ///< on rank 0: from then until it was durable
  };

  /// @param owner   rank 0's, else null
  /// @param folder  RunOwner::folder() of rank 0
  /// @param companions  other texts that go with the model (models::kCompanionFiles)
  CheckpointSaver(const Mesh& mesh, FlatParameters& parameters, std::vector<StateRow> rows,
                  const CheckpointConfig& config, std::filesystem::path run, const models::RunOwner* owner,
                  std::filesystem::path folder, std::string model_json, std::string tokenizer_json,
                  std::map<std::string, std::string> companions = {});
  /// Ends what is being written; a commit is waited for.
  ~CheckpointSaver();
  CheckpointSaver(const CheckpointSaver&) = delete;
  CheckpointSaver& operator=(const CheckpointSaver&) = delete;

  /// Begins to save; none may be under way. Called by all ranks.
  /// @param before_commit  on rank 0, in another thread: makes durable what must not be behind the checkpoint
  /// @returns what came of it where that is known at once, as when the disk has no room
  /// @throws Error kPeerLost, kTakenOver
  std::optional<Outcome> start(std::int64_t step, std::string training_json, std::function<void()> before_commit);

  bool is_under_way() const { return stage_ != Stage::kNone; }
  /// Moves on what can be moved on. Of each rank alone, between any calls of the communicator.
  /// @returns what came of the save: on rank 0, when that is known, once
  /// @throws Error kPeerLost, kTakenOver
  std::optional<Outcome> poll();
  /// What rank 0 tells the others.
  SavePhase phase() const;
  /// Ends the save where it is done. Called by all ranks.
  /// @param told  rank 0's phase. @returns what came of the save, then
  /// @throws Error kPeerLost
  std::optional<Outcome> advance(SavePhase told);
  /// Waits until the save that is under way is done, if any. Called by all ranks; advance() is then due.
  /// @returns as poll()
  std::optional<Outcome> finish();

 private:
  using Clock = std::chrono::steady_clock;
  enum class Stage {
    kNone,
    kWriting,     // the thread writes
    kCollecting,  // rank 0 waits for the shares of others, who have sent theirs
    kCommitting,  // rank 0's thread
    kEnded,       // rank 0 knows what came of it, and has not told
  };
  // A share on its way to rank 0: its length, then itself.
  struct Share {
    std::uint64_t length = 0;
    std::string text;
    std::unique_ptr<Transfer> length_under_way, text_under_way;
    bool is_here = false;
  };

  bool is_first() const { return mesh_.world().rank() == 0; }
  bool is_thread_done() const { return thread_phase_.load() != SavePhase::kBusy; }
  void run(std::function<void()> work);
  std::string prepare(std::int64_t step);
  void write();
  void send_share();
  bool have_all_shares();
  void commit(const std::vector<std::string>& shares);
  std::optional<Outcome> ended(std::string failure);
  std::string room_fault() const;

  const Mesh& mesh_;
  const CheckpointConfig config_;
  const std::filesystem::path run_;
  const models::RunOwner* const owner_;
  const std::filesystem::path folder_;
  const std::string model_json_, tokenizer_json_;
  const std::map<std::string, std::string> companions_;
  const std::int64_t checkpoint_bytes_;
  StateSnapshot snapshot_;
  int saves_ = 0;

  Stage stage_ = Stage::kNone;
  std::filesystem::path staging_;
  std::string training_json_;
  std::function<void()> before_commit_;
  Outcome outcome_;
  Clock::time_point copied_;

  std::vector<Share> shares_;  // of all ranks on rank 0, else this rank's

  // Of the thread, read once it is done.
  std::thread thread_;
  std::atomic<SavePhase> thread_phase_{SavePhase::kDone};
  std::atomic<bool> give_up_{false};
  std::string written_, error_;
};

}  // namespace trireme::train
