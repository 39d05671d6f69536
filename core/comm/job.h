#pragma once
#include <functional>

#include "core/comm/communicator.h"

namespace trireme {

/// Runs `body` on every rank of the job that this process belongs to and returns the exit status of the process.
///
/// The job is an MPI job when an MPI launcher started the process: it then finds OMPI_COMM_WORLD_SIZE (Open MPI's
/// mpirun), PMIX_RANK (srun --mpi=pmix, prterun) or PMI_RANK (srun --mpi=pmi2, MPICH) in its environment. Otherwise it
/// is a world of one that never touches MPI. A rank that starts another Trireme program as a world of one has to unset
/// these.
///
/// `body` returns its exit status, the same on all ranks (if they differ the highest counts). When it throws on any
/// rank, or a rank is lost, all ranks agree on (status, rank, message), flush their logs and leave with that status:
/// that of the lowest rank with an error of its own, printed once as "<program>: error: rank 2: <message>"; when nobody
/// has one, 75, and every survivor names the lost rank within a second or two. kPeerLost counts as the consequence of
/// an error elsewhere, anything that is no Error as failed (1).
///
/// A rank that comes to no communicator call and no check() for three seconds after a fault was noticed is ended all
/// the same. With MPI that has faulted this function does not return: MPI_Finalize may hang after a loss, so it ends
/// with _exit, and what stands above it on the stack is not destroyed.
///
/// With an MPI without ULFM, or under plain mpirun without `--with-ft ulfm`, an error ends all ranks through MPI_Abort
/// and a lost rank lets mpirun end the others: the job is to be started again.
///
/// Tells scripts/launch/mpi through files in the folder TRIREME_LAUNCH_DIR, where an MPI job finds it set: `joining`
/// before MPI starts, `ready` (from rank 0) once the signal handlers of all ranks stand, `status` (the exit status,
/// from the lowest surviving rank) when the job ends.
int run_job(const std::function<int(Communicator&)>& body);

}  // namespace trireme
