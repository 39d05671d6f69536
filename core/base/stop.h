#pragma once

namespace trireme {

/// From now on SIGTERM, SIGINT and SIGUSR1 ask for a graceful stop; a second one ends the process at once (128 + n).
/// Open MPI's mpirun passes only SIGUSR1 on without killing the ranks soon after, hence three signals of one meaning.
void install_stop_signals();

/// True once one of them has arrived on this process. Ranks must agree before they act on it: others may see it later.
bool stop_requested();

/// For tests and for programs that stop for another reason: as if a signal had arrived.
void request_stop();

}  // namespace trireme
