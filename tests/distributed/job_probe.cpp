// A program to break: what its ranks do is chosen by name, so that launch_test.sh can kill, stop and fail them.
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "core/base/error.h"
#include "core/base/stop.h"
#include "core/comm/communicator.h"
#include "core/comm/job.h"
#include "core/comm/test_site.h"

using namespace trireme;
using Clock = std::chrono::steady_clock;

namespace {

struct Arguments {
  int rank = 0;  // the rank that misbehaves
  double seconds = 0;
};

void compute_for(double seconds, const std::function<void()>& every_slice) {
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  volatile double x = 1;
  while (Clock::now() < end) {
    for (int i = 0; i < 100000; ++i) x = x * 1.0000001;
    every_slice();
  }
}

// Steps of a training run: a little work, a gather, an agreed stop. Prints the pid of every rank first.
int steps(Communicator& comm, const Arguments& arguments) {
  std::fprintf(stderr, "pid %d %d up\n", comm.rank(), static_cast<int>(::getpid()));
  const auto end = Clock::now() + std::chrono::duration<double>(arguments.seconds);
  for (std::uint8_t value = 0;; ++value) {
    compute_for(0.001, [] {});
    std::vector<std::uint8_t> mine(65536, value), all(mine.size() * static_cast<std::size_t>(comm.size()));
    comm.all_gather(mine.data(), mine.size(), all.data(), kTestSite);
    for (const auto got : all) {
      if (got != value) throw Error(ErrorCode::kCorrupt, "gathered ", int{got}, " instead of ", int{value});
    }
    std::int64_t votes[2] = {stop_requested(), Clock::now() > end};
    comm.all_max(votes, 2);
    if (votes[0]) return kExitResumable;
    if (votes[1]) return kExitDone;
  }
}

int body(Communicator& comm, const std::string& mode, const Arguments& arguments) {
  const bool chosen = comm.rank() == arguments.rank;
  if (mode == "steps") return steps(comm, arguments);
  if (mode == "noop") return kExitDone;
  if (mode == "throw") {  // one rank alone; the others wait for it
    if (chosen) throw Error(ErrorCode::kCorrupt, "shard 7 is damaged");
    comm.barrier();
  }
  if (mode == "throw-check") {  // the others compute, and look up now and then
    if (chosen) throw Error(ErrorCode::kCorrupt, "shard 7 is damaged");
    compute_for(arguments.seconds, [&] { comm.check(); });
  }
  if (mode == "throw-busy") {  // the others compute and never look up
    if (chosen) throw Error(ErrorCode::kCorrupt, "shard 7 is damaged");
    compute_for(arguments.seconds, [] {});
  }
  // Errors on several ranks: only once the others have surely left the barrier of the start. In there a rank would hear
  // of its peer's error before it has its own.
  if (mode == "throw-in-turn" || mode == "usage") std::this_thread::sleep_for(std::chrono::milliseconds(300));
  if (mode == "throw-in-turn") {  // every rank from the chosen one on has an error of its own
    if (comm.rank() >= arguments.rank) throw Error(ErrorCode::kNumeric, "loss is nan");
    comm.barrier();
  }
  if (mode == "throw-foreign" && chosen) throw std::bad_alloc();
  if (mode == "usage") throw Error(ErrorCode::kUsage, "unknown option --colour");
  if (mode == "check") {  // long computation that only looks up
    std::fprintf(stderr, "pid %d %d up\n", comm.rank(), static_cast<int>(::getpid()));
    compute_for(arguments.seconds, [&] { comm.check(); });
  }
  if (mode == "busy") {  // long computation that does not even do that
    std::fprintf(stderr, "pid %d %d up\n", comm.rank(), static_cast<int>(::getpid()));
    compute_for(arguments.seconds, [] {});
  }
  if (mode == "sleep") {  // nothing but the watch thread runs: what it costs
    std::this_thread::sleep_for(std::chrono::duration<double>(arguments.seconds));
    timespec used{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    std::fprintf(stderr, "rank %d used %.3f s of processor time\n", comm.rank(),
                 static_cast<double>(used.tv_sec) + 1e-9 * static_cast<double>(used.tv_nsec));
  }
  if (mode == "large") {  // more bytes than an int counts in one message of MPI
    const std::size_t bytes = (std::size_t{5} << 28) + 3;
    const auto value = [](int r) { return static_cast<char>(r + 1); };
    std::vector<char> mine(bytes, value(comm.rank())), all(bytes * static_cast<std::size_t>(comm.size()));
    comm.all_gather(mine.data(), bytes, all.data(), kTestSite);
    for (int r = 0; r < comm.size(); ++r) {
      const auto first = all.begin() + static_cast<std::ptrdiff_t>(bytes * static_cast<std::size_t>(r));
      if (!std::all_of(first, first + static_cast<std::ptrdiff_t>(bytes), [&](char c) { return c == value(r); }))
        throw Error(ErrorCode::kCorrupt, "wrong bytes from rank ", r);
    }
    comm.broadcast(mine.data(), bytes, 0, kTestSite);
    if (!std::all_of(mine.begin(), mine.end(), [&](char c) { return c == value(0); }))
      throw Error(ErrorCode::kCorrupt, "wrong bytes after the broadcast");
  }
  if (mode == "point-to-point") {  // waits for a message that never comes
    std::fprintf(stderr, "pid %d %d up\n", comm.rank(), static_cast<int>(::getpid()));
    std::vector<char> buffer(1 << 20);
    const int peer = (comm.rank() + 1) % comm.size();
    comm.start_receive(buffer.data(), buffer.size(), peer, {kTestSite, 7})->wait();
  }
  if (mode == "small") {  // the price of a small transfer
    constexpr int kTimes = 20000;
    std::vector<std::int64_t> all(static_cast<std::size_t>(comm.size()));
    std::int64_t mine = comm.rank();
    const auto time = [&](const char* name, const std::function<void()>& call) {
      for (int i = 0; i < 1000; ++i) call();
      const auto start = Clock::now();
      for (int i = 0; i < kTimes; ++i) call();
      const std::chrono::duration<double> taken = Clock::now() - start;
      if (comm.rank() == 0) std::printf("%s %.2f us\n", name, taken.count() / kTimes * 1e6);
    };
    time("barrier", [&] { comm.barrier(); });
    time("all_gather 8 B", [&] { comm.all_gather(&mine, sizeof mine, all.data(), kTestSite); });
    time("all_max 1", [&] { comm.all_max(&mine, 1); });
    time("ping-pong 8 B", [&] {
      std::int64_t got = 0;
      if (comm.rank() == 0) {
        comm.start_send(&mine, sizeof mine, 1, {kTestSite, 1})->wait();
        comm.start_receive(&got, sizeof got, 1, {kTestSite, 1})->wait();
      } else if (comm.rank() == 1) {
        comm.start_receive(&got, sizeof got, 0, {kTestSite, 1})->wait();
        comm.start_send(&mine, sizeof mine, 0, {kTestSite, 1})->wait();
      }
    });
  }
  if (mode == "large") {  // bytes a second that a rank sends while all send to all
    constexpr std::size_t kBytes = std::size_t{4} << 20;
    constexpr int kTimes = 100;
    const auto ranks = static_cast<std::size_t>(comm.size());
    std::vector<char> mine(kBytes, 1), theirs(kBytes * ranks);
    const auto exchange = [&] {
      std::vector<std::unique_ptr<Transfer>> transfers;
      for (int peer = 0; peer < comm.size(); ++peer)
        if (peer != comm.rank())
          transfers.push_back(comm.start_receive(theirs.data() + kBytes * static_cast<std::size_t>(peer), kBytes, peer,
                                                 {kTestSite, 1}));
      for (int peer = 0; peer < comm.size(); ++peer)
        if (peer != comm.rank()) transfers.push_back(comm.start_send(mine.data(), kBytes, peer, {kTestSite, 1}));
      for (const auto& transfer : transfers) transfer->wait();
    };
    for (int i = 0; i < 10; ++i) exchange();
    comm.barrier();
    const auto start = Clock::now();
    for (int i = 0; i < kTimes; ++i) exchange();
    comm.barrier();
    const std::chrono::duration<double> taken = Clock::now() - start;
    if (comm.rank() == 0) std::printf("%.4g\n", static_cast<double>(kBytes * (ranks - 1)) * kTimes / taken.count());
  }
  return kExitDone;
}

}  // namespace

int main(int count, char** values) {
  if (count < 2) {
    std::fprintf(stderr, "usage: job_probe MODE [RANK] [SECONDS]\n");
    return kExitUsage;
  }
  const std::string mode = values[1];
  Arguments arguments;
  if (count > 2) arguments.rank = std::atoi(values[2]);
  if (count > 3) arguments.seconds = std::atof(values[3]);
  return run_job([&](Communicator& comm) { return body(comm, mode, arguments); });
}
