#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/comm/communicator.h"

namespace trireme {

// Internal to core/comm: run_job() in job.h is the way in. mpi.h stays in the sources, so that nothing else needs MPI.

/// What a rank ends with, or all ranks once they have agreed.
struct Ending {
  int status = 0;
  bool own = false;     ///< an error of this rank itself, and not the consequence of one elsewhere
  int rank = 0;         ///< whose status and message these are
  std::string message;  ///< one line; cut to about 1 KiB on the way to other ranks
};

/// The ending that counts among those of all survivors, in rank order: the lowest rank with an error of its own, else
/// the lowest one that noticed the loss. `all` is not empty.
const Ending& decisive(const std::vector<Ending>& all);

/// Sizes of the messages that carry `size` bytes, each at most `limit` (MPI counts are int). No bytes are one message.
std::vector<std::size_t> message_sizes(std::size_t size, std::size_t limit);

struct MpiState;

/// The MPI job that this process is a rank of, from MPI_Init to its end. One a process.
///
/// Every rank runs a watch thread, because a rank that computes for minutes makes no MPI call that could tell it of a
/// loss, and MPI only moves its own messages (a revoke, say) inside calls. The thread looks every 50 ms.
class MpiWorld {
 public:
  /// @throws Error kPeerLost  a rank went away at the start
  MpiWorld();
  /// Leaves MPI alone: a job ends by finalize(), or without it after a fault.
  ~MpiWorld();
  MpiWorld(const MpiWorld&) = delete;
  MpiWorld& operator=(const MpiWorld&) = delete;

  Communicator& communicator();

  /// False with an MPI without ULFM, or under an mpirun without `--with-ft ulfm`: then only abort() ends a job early.
  bool survives_losses() const;

  /// Starts the watch thread. It names each lost rank once in the log, makes every communicator call and check() throw,
  /// and calls `overdue` when this rank has still not called agree() `patience_ms` after a fault was noticed.
  void watch(int patience_ms, std::function<void()> overdue);

  struct Agreement {
    Ending ending;
    bool first = false;  ///< this is the lowest surviving rank: the one that speaks for all
  };
  /// Ends the use of the communicator on all ranks and waits until every survivor has come here too. All get the same
  /// ending. Call once; afterwards leave with _exit. Needs survives_losses().
  Agreement agree(const Ending& mine);

  /// MPI_Finalize, after a run without faults. May hang if a rank dies right now: bound it from outside.
  void finalize();

  /// MPI_Abort, for where agree() is not to be had.
  [[noreturn]] void abort(int status);

 private:
  std::unique_ptr<MpiState> state_;
};

}  // namespace trireme
