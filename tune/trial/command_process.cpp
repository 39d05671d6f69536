#include "tune/trial/command_process.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/base/error.h"
#include "core/base/files.h"
#include "tune/trial/cores.h"

namespace trireme::tune {
namespace {

[[noreturn]] void fail(const char* call) {
  throw Error(ErrorCode::kIo, "cannot start a command: ", call, ": ", system_reason(errno));
}

struct Pipe {
  explicit Pipe(int flags = 0) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC | flags) != 0) fail("pipe");
    read = Descriptor(ends[0]);
    write = Descriptor(ends[1]);
  }
  Descriptor read{-1}, write{-1};
};

// Texts as exec takes them.
struct Pointers {
  explicit Pointers(std::vector<std::string> from) : texts(std::move(from)) {
    for (std::string& text : texts) pointers.push_back(text.data());
    pointers.push_back(nullptr);
  }
  std::vector<std::string> texts;
  std::vector<char*> pointers;
};

std::vector<std::string> environment_with(const std::vector<std::pair<std::string, std::string>>& more) {
  std::vector<std::string> merged;
  for (char** entry = environ; entry && *entry; ++entry) {
    const std::string text = *entry;
    const bool is_replaced =
        std::any_of(more.begin(), more.end(), [&](const auto& added) { return text.starts_with(added.first + "="); });
    if (!is_replaced) merged.push_back(text);
  }
  for (const auto& [name, value] : more) merged.push_back(name + "=" + value);
  return merged;
}

// What the child works with; all of it is made before the fork, behind which it may not allocate.
struct Child {
  Pointers words, environment;
  std::string folder;
  std::vector<unsigned long> cores;
  Clock::time_point deadline;
  int out, err, failed;
  pid_t parent;
};

[[noreturn]] void give_up(const Child& child, int reason) {
  (void)!::write(child.failed, &reason, sizeof reason);
  ::_exit(127);
}

// Handlers end at exec, but what is ignored stays so: a tuner behind nohup would pass that on.
void restore_signals() {
  for (int number = 1; number < SIGRTMIN; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void become_command(const Child& child) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != child.parent) ::_exit(127);  // it ended before the call
  ::setsid();
  restore_signals();
  // A core that went offline must not keep a trial from running.
  if (!child.cores.empty())
    (void)::sched_setaffinity(0, child.cores.size() * sizeof(child.cores[0]),
                              reinterpret_cast<const cpu_set_t*>(child.cores.data()));
  const int none = ::open("/dev/null", O_RDONLY);
  if (none < 0 || ::dup2(none, 0) < 0 || ::dup2(child.out, 1) < 0 || ::dup2(child.err, 2) < 0) give_up(child, errno);
  if (none > 2) ::close(none);
  if (!child.folder.empty() && ::chdir(child.folder.c_str()) != 0) give_up(child, -errno);
  // Last of all: this process goes on where its parent was stopped (SIGSTOP) and is no longer the one to start it.
  if (Clock::now() > child.deadline) give_up(child, ETIME);
  ::execvpe(child.words.pointers[0], child.words.pointers.data(), child.environment.pointers.data());
  give_up(child, errno);
}

// Until the child has become the command, or has told why not. @returns that reason, negative where it is about the
// folder, or 0
int wait_for_exec(Pipe& failed) {
  failed.write.close();
  int reason = 0;
  ssize_t got = 0;
  do {
    got = ::read(failed.read.get(), &reason, sizeof reason);
  } while (got < 0 && errno == EINTR);
  return got == sizeof reason ? reason : 0;
}

void wait_for(pid_t process) {
  while (::waitpid(process, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace

CommandProcess::CommandProcess(const Start& start) {
  Pipe out, err, failed;
  ::fcntl(out.read.get(), F_SETFL, O_NONBLOCK);
  ::fcntl(err.read.get(), F_SETFL, O_NONBLOCK);
  const Child child{.words = Pointers(start.words),
                    .environment = Pointers(environment_with(start.environment)),
                    .folder = start.folder,
                    .cores = core_mask(start.cores),
                    .deadline = start.deadline,
                    .out = out.write.get(),
                    .err = err.write.get(),
                    .failed = failed.write.get(),
                    .parent = ::getpid()};
  pid_ = ::fork();
  if (pid_ < 0) fail("fork");
  if (pid_ == 0) become_command(child);
  if (const int reason = wait_for_exec(failed)) {
    wait_for(pid_);
    if (reason < 0)
      throw Error(ErrorCode::kIo, "no command can be started in ", start.folder, ": ", system_reason(-reason));
    if (reason == ETIME) throw Error(ErrorCode::kTakenOver, "the command was not started in time");
    throw Error(ErrorCode::kNotFound, "cannot start '", start.words.at(0), "': ", system_reason(reason));
  }
  ended_ = Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  stdout_ = std::move(out.read);
  stderr_ = std::move(err.read);
}

CommandProcess::~CommandProcess() {
  if (status_) return;
  signal(SIGKILL);
  wait_for(pid_);
}

void CommandProcess::signal(int number) const {
  if (!status_) ::kill(pid_, number);
}

}  // namespace trireme::tune
