#pragma once

namespace trireme {

/// From now on SIGTERM, SIGINT and SIGUSR1 ask for a graceful stop; a second one ends the process at once (128 + n).
/// Open MPI's mpirun passes only SIGUSR1 on without killing the ranks soon after, hence three signals of one meaning.
/// Calls that a signal interrupts go on; one that may wait for long waits in wait_for_input() first.
void install_stop_signals();

/// True once one of them has arrived on this process. Ranks must agree before they act on it: others may see it later.
bool stop_requested();

/// The number of the signal that arrived first, 0 for none: a program that cannot be resumed ends with 128 + number.
int stop_signal();

/// For work that has nothing to save. @throws Error kInterrupted
void throw_if_stop_requested();

/// For tests and for programs that stop for another reason: as if SIGTERM had arrived.
void request_stop();

/// Waits until a read of `file` (a descriptor) returns at once: with data, at its end or with an error. False when a
/// stop is asked for before that.
bool wait_for_input(int file);

}  // namespace trireme
