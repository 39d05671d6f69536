#include "core/comm/mpi_communicator.h"

#include <mpi.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>
#if defined(OPEN_MPI)
#include <mpi-ext.h>
#endif

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/comm/rounds.h"

namespace trireme {
namespace {

// The few calls of ULFM (User-Level Failure Mitigation) that we use. Without it nothing is ever known to be lost.
#if defined(OMPI_HAVE_MPI_EXT_FTMPI)
bool ulfm_is_on() {
  // mpirun --with-ft ulfm sets it for the ranks. Without that a lost rank takes all others with it, and revoke fails.
  const char* enabled = std::getenv("OMPI_MCA_mpi_ft_enable");
  return enabled && (std::strcmp(enabled, "1") == 0 || std::strcmp(enabled, "true") == 0);
}
bool means_peer_lost(int error_class) {
  return error_class == MPIX_ERR_PROC_FAILED || error_class == MPIX_ERR_PROC_FAILED_PENDING ||
         error_class == MPIX_ERR_REVOKED;
}
void revoke(MPI_Comm comm) { MPIX_Comm_revoke(comm); }
bool is_revoked(MPI_Comm comm) {
  int flag = 0;
  return MPIX_Comm_is_revoked(comm, &flag) == MPI_SUCCESS && flag;
}
int shrink(MPI_Comm comm, MPI_Comm* survivors) { return MPIX_Comm_shrink(comm, survivors); }
int agree_on(MPI_Comm comm, int* flag) { return MPIX_Comm_agree(comm, flag); }
MPI_Group failed_group(MPI_Comm comm) {
  MPI_Group failed = MPI_GROUP_EMPTY;
  return MPIX_Comm_get_failed(comm, &failed) == MPI_SUCCESS ? failed : MPI_GROUP_EMPTY;
}
#else
bool ulfm_is_on() { return false; }
bool means_peer_lost(int) { return false; }
void revoke(MPI_Comm) {}
bool is_revoked(MPI_Comm) { return false; }
int shrink(MPI_Comm, MPI_Comm*) { return MPI_ERR_OTHER; }
int agree_on(MPI_Comm, int*) { return MPI_ERR_OTHER; }
MPI_Group failed_group(MPI_Comm) { return MPI_GROUP_EMPTY; }
#endif

constexpr std::size_t kMessageLimit = std::size_t{1} << 30;
constexpr auto kWatchPeriod = std::chrono::milliseconds(50);

// Errors that only a bug of ours brings about: other code on the ranks, or calls out of step. Starting again is no
// help.
bool means_bug(int error_class) {
  return error_class == MPI_ERR_TRUNCATE || error_class == MPI_ERR_COUNT || error_class == MPI_ERR_TAG ||
         error_class == MPI_ERR_RANK || error_class == MPI_ERR_ROOT || error_class == MPI_ERR_BUFFER ||
         error_class == MPI_ERR_TYPE || error_class == MPI_ERR_ARG;
}

std::string error_text(int code) {
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  if (MPI_Error_string(code, text, &length) != MPI_SUCCESS) return "MPI error " + std::to_string(code);
  return std::string(text, static_cast<std::size_t>(length));
}

// Members of `group`, as ranks in `comm`, in order.
std::vector<int> ranks_in(MPI_Comm comm, MPI_Group group) {
  int count = 0;
  MPI_Group_size(group, &count);
  if (count <= 0) return {};
  MPI_Group all = MPI_GROUP_NULL;
  MPI_Comm_group(comm, &all);
  std::vector<int> index(static_cast<std::size_t>(count)), ranks(index.size());
  for (int i = 0; i < count; ++i) index[static_cast<std::size_t>(i)] = i;
  MPI_Group_translate_ranks(group, count, index.data(), all, ranks.data());
  MPI_Group_free(&all);
  std::sort(ranks.begin(), ranks.end());
  return ranks;
}

// An ending on its way between ranks.
struct EndingRecord {
  int status;
  int own;
  int rank;
  char message[1012];
};

void set_message(EndingRecord& record, const std::string& message) {
  const std::string shown = message.size() < sizeof record.message
                                ? message
                                : message.substr(0, complete_utf8_prefix(message.substr(0, sizeof record.message - 1)));
  std::memcpy(record.message, shown.c_str(), shown.size() + 1);
}

}  // namespace

const Ending& decisive(const std::vector<Ending>& all) {
  const auto own = std::find_if(all.begin(), all.end(), [](const Ending& e) { return e.own; });
  return own != all.end() ? *own : all.front();
}

std::vector<std::size_t> message_sizes(std::size_t size, std::size_t limit) {
  std::vector<std::size_t> sizes;
  do {
    sizes.push_back(std::min(size, limit));
    size -= sizes.back();
  } while (size > 0);
  return sizes;
}

// All of MPI that the world, its communicator, the transfers and the watch thread share.
struct MpiState {
  MPI_Comm comm = MPI_COMM_NULL;        // what the communicator uses
  MPI_Comm watch_comm = MPI_COMM_NULL;  // what the watch thread probes: no message ever travels on it
  int rank = 0, size = 1;
  bool ulfm = false, threads = false;
  std::unique_ptr<Communicator> communicator;

  std::atomic<bool> fault{false};    // read by check(): something is lost or revoked
  std::atomic<bool> leaving{false};  // agree() has begun: the watch is over
  std::mutex lost_mutex;
  std::set<int> lost;  // named in the log
  std::atomic<const char*> noticed_in = "the watch over a long computation";

  std::thread watcher;
  std::mutex stop_mutex;
  std::condition_variable stop_changed;
  bool stop = false;

  // Names ranks that were not known to be lost.
  void name_lost(const std::vector<int>& ranks) {
    const std::lock_guard lock(lost_mutex);
    for (const int r : ranks) {
      if (lost.insert(r).second) log_error("rank " + std::to_string(r) + " is lost");
    }
  }

  // One rank knows: make sure that all do. Any thread, any number of times.
  void notice_fault() {
    name_failed();
    if (!fault.exchange(true)) {
      revoke(comm);
      revoke(watch_comm);
    }
  }

  void name_failed() {
    MPI_Group failed = failed_group(comm);
    name_lost(ranks_in(comm, failed));
    if (failed != MPI_GROUP_EMPTY) MPI_Group_free(&failed);
  }

  // "rank 2 is lost (noticed in all_gather)". A revoke may arrive before the news of the loss behind it.
  std::string lost_text() {
    const std::lock_guard lock(lost_mutex);
    std::vector<std::string> names;
    for (const int r : lost) names.push_back(std::to_string(r));
    const std::string who = names.empty()       ? "another rank has failed"
                            : names.size() == 1 ? "rank " + names[0] + " is lost"
                                                : "ranks " + join(names, ", ") + " are lost";
    return who + " (noticed in " + noticed_in.load() + ")";
  }

  [[noreturn]] void throw_peer_lost(const char* operation) {
    noticed_in = operation;
    throw Error(ErrorCode::kPeerLost, lost_text());
  }

  void check(const char* operation) {
    if (fault.load(std::memory_order_relaxed)) throw_peer_lost(operation);
  }

  void expect_success(int code, const char* operation) {
    if (code == MPI_SUCCESS) return;
    int error_class = MPI_ERR_OTHER;
    MPI_Error_class(code, &error_class);
    if (means_bug(error_class)) throw Error(ErrorCode::kBug, operation, " failed: ", error_text(code));
    notice_fault();
    if (means_peer_lost(error_class)) throw_peer_lost(operation);
    throw Error(ErrorCode::kPeerLost, operation, " failed: ", error_text(code));
  }

  void watch(std::chrono::milliseconds patience, const std::function<void()>& overdue) {
    std::chrono::steady_clock::time_point noticed{};
    for (;;) {
      {
        std::unique_lock lock(stop_mutex);
        if (stop_changed.wait_for(lock, kWatchPeriod, [&] { return stop; })) return;
      }
      if (leaving) return;
      // The probe moves MPI on, and fails once any rank is gone.
      int flag = 0;
      const int code = MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, watch_comm, &flag, MPI_STATUS_IGNORE);
      if (code != MPI_SUCCESS || is_revoked(watch_comm) || is_revoked(comm)) notice_fault();
      if (!fault) continue;
      name_failed();
      const auto now = std::chrono::steady_clock::now();
      if (noticed == std::chrono::steady_clock::time_point{}) noticed = now;
      if (now - noticed >= patience) {
        overdue();
        return;
      }
    }
  }

  void stop_watch() {
    {
      const std::lock_guard lock(stop_mutex);
      stop = true;
    }
    stop_changed.notify_all();
    if (watcher.joinable()) watcher.join();
  }
};

namespace {

// The messages of one send or receive. Waiting is a row of MPI_Test, so that a finding of the watch thread ends any
// wait, even one that MPI itself would not end.
class MpiTransfer final : public Transfer {
 public:
  MpiTransfer(MpiState& state, const char* operation) : state_(state), operation_(operation) { state.check(operation); }

  ~MpiTransfer() override {
    // Dropped while an error passes: a message must not land in memory that is about to be freed.
    for (std::size_t i = next_; receives_ && i < requests_.size(); ++i) {
      if (requests_[i] == MPI_REQUEST_NULL) continue;
      MPI_Cancel(&requests_[i]);
      MPI_Request_free(&requests_[i]);
    }
  }
  MpiTransfer(const MpiTransfer&) = delete;
  MpiTransfer& operator=(const MpiTransfer&) = delete;

  void start_send(const void* bytes, std::size_t size, int peer, int tag) {
    const auto* at = static_cast<const char*>(bytes);
    for (const std::size_t part : message_sizes(size, kMessageLimit)) {
      MPI_Request request = MPI_REQUEST_NULL;
      const int code = MPI_Isend(at, static_cast<int>(part), MPI_BYTE, peer, tag, state_.comm, &request);
      add(code, request);
      at += part;
    }
  }

  void start_receive(void* bytes, std::size_t size, int peer, int tag) {
    receives_ = true;
    auto* at = static_cast<char*>(bytes);
    for (const std::size_t part : message_sizes(size, kMessageLimit)) {
      MPI_Request request = MPI_REQUEST_NULL;
      const int code = MPI_Irecv(at, static_cast<int>(part), MPI_BYTE, peer, tag, state_.comm, &request);
      add(code, request);
      at += part;
    }
  }

  bool done() override {
    for (; next_ < requests_.size(); ++next_) {
      int finished = 0;
      state_.expect_success(MPI_Test(&requests_[next_], &finished, MPI_STATUS_IGNORE), operation_);
      if (!finished) {
        state_.check(operation_);
        return false;
      }
    }
    return true;
  }

  // Costs a core, as in MPI itself, but gives it away where another rank or thread wants it: there may be more of them
  // than cores.
  void wait() override {
    for (int turns = 0; !done(); ++turns) {
      if (turns > 64) ::sched_yield();
    }
  }

 private:
  void add(int code, MPI_Request request) {
    state_.expect_success(code, operation_);
    requests_.push_back(request);
  }

  MpiState& state_;
  const char* operation_;
  bool receives_ = false;
  std::vector<MPI_Request> requests_;
  std::size_t next_ = 0;  // all before it are done
};

// Collectives are rounds of messages of our own rather than MPI's: every wait then ends at a fault. MPI's blocking ones
// leave that to each of their algorithms, and its non-blocking ones (libnbc) write lines of their own to stderr.
class MpiCommunicator final : public Communicator {
 public:
  explicit MpiCommunicator(MpiState& state) : state_(state) {}

  int rank() const override { return state_.rank; }
  int size() const override { return state_.size; }

  std::unique_ptr<Transfer> start_send(const void* bytes, std::size_t size, int peer, const Tag& tag) override {
    auto transfer = std::make_unique<MpiTransfer>(state_, "send");
    transfer->start_send(bytes, size, peer, tag.value);
    return transfer;
  }

  std::unique_ptr<Transfer> start_receive(void* bytes, std::size_t size, int peer, const Tag& tag) override {
    auto transfer = std::make_unique<MpiTransfer>(state_, "receive");
    transfer->start_receive(bytes, size, peer, tag.value);
    return transfer;
  }

  void barrier() override { rounds::barrier(messages("barrier")); }
  void broadcast(void* bytes, std::size_t size_of_all, int root, const Site&) override {
    rounds::broadcast(messages("broadcast"), bytes, size_of_all, root);
  }
  void all_gather(const void* mine, std::size_t share, void* all, const Site&) override {
    rounds::all_gather(messages("all_gather"), mine, share, all);
  }
  void all_max(std::int64_t* values, std::size_t count) override {
    rounds::all_max(messages("all_max"), values, count);
  }

  void check() override { state_.check("check"); }

 private:
  // Above the tags of callers; MPI promises at least 32,767. One is enough: messages of a pair of ranks keep their
  // order.
  static constexpr int kCollectiveTag = 32767;

  rounds::Messages messages(const char* operation) {
    state_.check(operation);
    return {rank(), size(),
            [this, operation](const void* bytes, std::size_t size, int peer) {
              auto transfer = std::make_unique<MpiTransfer>(state_, operation);
              transfer->start_send(bytes, size, peer, kCollectiveTag);
              return transfer;
            },
            [this, operation](void* bytes, std::size_t size, int peer) {
              auto transfer = std::make_unique<MpiTransfer>(state_, operation);
              transfer->start_receive(bytes, size, peer, kCollectiveTag);
              return transfer;
            }};
  }

  MpiState& state_;
};

}  // namespace

MpiWorld::MpiWorld() : state_(std::make_unique<MpiState>()) {
  MpiState& s = *state_;
  int provided = MPI_THREAD_SINGLE;
  MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided);
  // First of all: by default MPI ends the process at an error, before any check runs.
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
  s.ulfm = ulfm_is_on();
  s.threads = provided == MPI_THREAD_MULTIPLE;
  MPI_Comm_rank(MPI_COMM_WORLD, &s.rank);
  MPI_Comm_size(MPI_COMM_WORLD, &s.size);
  for (MPI_Comm* comm : {&s.comm, &s.watch_comm}) {
    const int code = MPI_Comm_dup(MPI_COMM_WORLD, comm);
    if (code != MPI_SUCCESS) throw Error(ErrorCode::kPeerLost, "cannot join the job: ", error_text(code));
  }
  s.communicator = std::make_unique<MpiCommunicator>(s);
}

MpiWorld::~MpiWorld() { state_->stop_watch(); }

Communicator& MpiWorld::communicator() { return *state_->communicator; }

bool MpiWorld::survives_losses() const { return state_->ulfm; }

void MpiWorld::watch(int patience_ms, std::function<void()> overdue) {
  MpiState& s = *state_;
  if (!s.ulfm || !s.threads || s.size == 1) return;
  // Signals are the main thread's: system calls that they interrupt are there.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  s.watcher = std::thread(
      [&s, patience_ms, overdue = std::move(overdue)] { s.watch(std::chrono::milliseconds(patience_ms), overdue); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

MpiWorld::Agreement MpiWorld::agree(const Ending& mine) {
  MpiState& s = *state_;
  s.leaving = true;
  s.fault = true;
  revoke(s.comm);
  revoke(s.watch_comm);

  EndingRecord record{};
  record.status = mine.status;
  record.own = mine.own;
  record.rank = s.rank;
  set_message(record, mine.message);

  // A rank may be lost at any point of this: then once more among those that are left.
  for (;;) {
    MPI_Comm survivors = MPI_COMM_NULL;
    if (shrink(s.comm, &survivors) != MPI_SUCCESS || survivors == MPI_COMM_NULL) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      continue;
    }
    MPI_Comm_set_errhandler(survivors, MPI_ERRORS_RETURN);
    int count = 0, first = 0;
    MPI_Comm_size(survivors, &count);
    MPI_Comm_rank(survivors, &first);

    MPI_Group all = MPI_GROUP_NULL, left = MPI_GROUP_NULL, gone = MPI_GROUP_NULL;
    MPI_Comm_group(s.comm, &all);
    MPI_Comm_group(survivors, &left);
    MPI_Group_difference(all, left, &gone);
    s.name_lost(ranks_in(s.comm, gone));

    // By now it is known who is lost, which may not have been when the message was written.
    if (!mine.own && gone != MPI_GROUP_EMPTY) set_message(record, s.lost_text());

    std::vector<EndingRecord> records(static_cast<std::size_t>(count));
    const int code =
        MPI_Allgather(&record, sizeof record, MPI_BYTE, records.data(), sizeof record, MPI_BYTE, survivors);
    // Some ranks may have all records and others none, when one was lost on the way: agree on whether all have.
    // Agreement is not ended by a revoke, which is what brings the others here.
    int complete = code == MPI_SUCCESS;
    if (!complete) revoke(survivors);
    agree_on(survivors, &complete);
    if (!complete) continue;

    std::vector<Ending> endings;
    for (const EndingRecord& r : records) endings.push_back({r.status, r.own != 0, r.rank, r.message});
    return {decisive(endings), first == 0};
  }
}

void MpiWorld::finalize() {
  state_->stop_watch();
  MPI_Comm_free(&state_->watch_comm);
  MPI_Comm_free(&state_->comm);
  MPI_Finalize();
}

void MpiWorld::abort(int status) {
  state_->leaving = true;
  MPI_Abort(MPI_COMM_WORLD, status);
  ::_exit(status);
}

}  // namespace trireme
