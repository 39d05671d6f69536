#include "core/comm/job.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <string>
#include <thread>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/log.h"
#include "core/base/stop.h"
#include "core/comm/mpi_communicator.h"

namespace trireme {
namespace {

constexpr int kPatienceMs = 3000;  // from noticing a fault until the watch thread speaks for a rank that computes on
constexpr unsigned kAgreeSeconds = 10;  // from there to the end, on all ranks: a shrink takes some ms, or hangs
constexpr unsigned kFinalizeSeconds = 5;

bool started_by_mpi_launcher() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"}) {
    if (std::getenv(name)) return true;
  }
  return false;
}

void print_error(const std::string& message) {
  flush_log();
  std::fprintf(stderr, "%s: error: %s\n", program_invocation_short_name, message.c_str());
}

// The first line: LibTorch's exceptions carry a stack trace below it.
std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

// What the exception in flight ends this rank with.
Ending ending_of_exception() {
  try {
    throw;
  } catch (const Error& error) {
    return {exit_status(error.code()), error.code() != ErrorCode::kPeerLost, 0, error.what()};
  } catch (const std::bad_alloc&) {
    return {exit_status(ErrorCode::kOutOfMemory), true, 0, "out of memory"};
  } catch (const std::exception& error) {
    return {kExitFailed, true, 0, first_line(error.what())};
  } catch (...) {
    return {kExitFailed, true, 0, "an exception of an unknown type"};
  }
}

// A limit in time that holds even when every thread hangs inside MPI: the kernel's alarm. Peers notice a death by
// signal; they would wait for a rank that merely exits.
std::atomic<int> limit_status{-1};

extern "C" void on_limit(int) {
  const int status = limit_status.load();
  if (status >= 0) ::_exit(status);
  ::kill(::getpid(), SIGKILL);
}

void end_within(unsigned seconds, int status_or_kill) {
  limit_status = status_or_kill;
  struct sigaction action{};
  action.sa_handler = on_limit;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGALRM, &action, nullptr);
  ::alarm(seconds);
}
constexpr int kKill = -1;

void tell_launcher(const char* name, const std::string& content) {
  const char* folder = std::getenv("TRIREME_LAUNCH_DIR");
  if (!folder || !*folder) return;
  try {
    write_file_atomically(fs::path(folder) / name, content);
  } catch (const Error& error) {
    // Another node than the launcher's, after rank 0 was lost. Without the file the launcher reports 75.
    log_debug(error.what());
  }
}

void flush_output() {
  flush_log();
  std::fflush(stdout);
  std::fflush(stderr);
}

// The end of a job with a fault, from the main thread or, when that one computes on, from the watch thread.
[[noreturn]] void leave(MpiWorld& world, const Ending& mine) noexcept {
  static std::atomic<bool> leaving{false};
  if (leaving.exchange(true)) {
    for (;;) ::pause();  // the other thread ends the process
  }
  end_within(kAgreeSeconds, kKill);
  flush_output();
  const int rank = world.communicator().rank();
  const auto with_rank = [&](const Ending& e) {
    return world.communicator().size() == 1 ? e.message : "rank " + std::to_string(e.rank) + ": " + e.message;
  };
  if (!world.survives_losses()) {
    Ending own = mine;
    own.rank = rank;
    print_error(with_rank(own));
    tell_launcher("status", std::to_string(own.status) + "\n");
    flush_output();
    world.abort(own.status);
  }
  const auto agreed = world.agree(mine);
  if (agreed.first) {
    print_error(with_rank(agreed.ending));
  }
  flush_output();
  // All say the same: whichever process ends first, the launcher has its answer.
  tell_launcher("status", std::to_string(agreed.ending.status) + "\n");
  // A moment for the last messages of the agreement to reach ranks that still need them from this one.
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  ::_exit(agreed.ending.status);
}

int run_mpi_job(const std::function<int(Communicator&)>& body) {
  // From every rank, and before MPI_Init, which ends the process by itself when a peer is lost meanwhile.
  tell_launcher("joining", "");
  MpiWorld world;
  Communicator& comm = world.communicator();
  world.watch(kPatienceMs, [&world] {
    leave(world, {kExitResumable, false, 0, "another rank has failed (noticed in the watch over a long computation)"});
  });

  std::int64_t status = 0;
  try {
    const char* expected = std::getenv("OMPI_COMM_WORLD_SIZE");
    if (expected && std::to_string(comm.size()) != expected)
      throw Error(ErrorCode::kUsage, "the launcher started ", expected, " ranks, but MPI sees ", comm.size(),
                  ": mpirun belongs to another MPI than this program; use scripts/launch/mpi");
    if (comm.size() > 1) set_log_rank(comm.rank());
    install_stop_signals();
    comm.barrier();
    if (comm.rank() == 0) tell_launcher("ready", "");

    status = body(comm);
    comm.all_max(&status, 1);  // also the barrier that nobody passes while a rank may still fail
  } catch (...) {
    leave(world, ending_of_exception());
  }

  flush_output();
  if (comm.rank() == 0) tell_launcher("status", std::to_string(status) + "\n");
  try {
    // Nobody leaves before the report is there: on a slow disk mpirun would end the rank that still writes it.
    comm.barrier();
  } catch (const Error& error) {
    log_debug(error.what());  // a rank lost on its way out: what it had to do is done
  }
  end_within(kFinalizeSeconds, static_cast<int>(status));
  world.finalize();
  ::alarm(0);
  return static_cast<int>(status);
}

int run_alone(const std::function<int(Communicator&)>& body) {
  try {
    install_stop_signals();
    const auto self = make_self_communicator();
    return body(*self);
  } catch (...) {
    const Ending ending = ending_of_exception();
    print_error(ending.message);
    return ending.status;
  }
}

}  // namespace

int run_job(const std::function<int(Communicator&)>& body) {
  return started_by_mpi_launcher() ? run_mpi_job(body) : run_alone(body);
}

}  // namespace trireme
