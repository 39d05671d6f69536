#pragma once
#include <functional>

#include "core/comm/communicator.h"

namespace trireme {

/// Runs `body` on every rank of the job that this process belongs to and returns the exit status of the process: under
/// mpirun the MPI job, else a world of one that never touches MPI.
///
/// `body` returns its exit status, the same on all ranks. When it throws on any rank, or a rank is lost, all ranks
/// agree on (status, rank, message), flush their logs and leave with that status; a lost rank is named by every
/// survivor within a second or two and the status is 75. With MPI that has faulted this function does not return:
/// MPI_Finalize may hang after a loss, so it ends with _exit.
///
/// Tells scripts/launch/mpi through files in the folder TRIREME_LAUNCH_DIR, where it is set: `ready` once the signal
/// handlers of all ranks stand, `status` (the exit status, from the lowest surviving rank) when the job ends.
int run_job(const std::function<int(Communicator&)>& body);

}  // namespace trireme
