#pragma once
#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/descriptor.h"
#include "tune/trial/clock.h"

namespace trireme::tune {

/// A command of another program, from its start on. It leads a session of its own, so that no key in our terminal
/// reaches it, reads nothing, and is killed by the kernel when this process ends, however that happens (its children
/// are not: see Mark). Its status comes from waitpid(2), which is its owner's to call; whoever destroys one before that
/// kills it and waits for it.
class CommandProcess {
 public:
  struct Start {
    std::vector<std::string> words;                                ///< the program, by PATH, and its arguments
    std::vector<std::pair<std::string, std::string>> environment;  ///< beside our own, in place of it
    std::string folder;                                            ///< it runs in this one; empty: in ours
    std::vector<int> cores;                                        ///< it may run on these; empty: on all of ours
    Clock::time_point deadline = Clock::time_point::max();         ///< behind it nothing is started any more
  };
  /// @throws Error kNotFound: "cannot start 'trian': No such file or directory", or another reason of exec's;
  /// kTakenOver: it was not started before the deadline; kIo: this machine has no process or descriptor left for it, or
  /// the folder cannot be entered
  explicit CommandProcess(const Start& start);
  ~CommandProcess();
  CommandProcess(const CommandProcess&) = delete;
  CommandProcess& operator=(const CommandProcess&) = delete;

  pid_t pid() const { return pid_; }
  /// Readable once it has ended, for poll(2); -1 where the kernel has none (before Linux 5.3).
  int ended_descriptor() const { return ended_.get(); }
  /// Ends of the pipes of its stdout and stderr, which do not block; to be taken once.
  Descriptor take_stdout() { return std::move(stdout_); }
  Descriptor take_stderr() { return std::move(stderr_); }

  void signal(int number) const;
  /// What waitpid(2) gave: from then on its number may be another's.
  void note_status(int status) { status_ = status; }
  const std::optional<int>& status() const { return status_; }

 private:
  pid_t pid_ = -1;
  Descriptor ended_{-1}, stdout_{-1}, stderr_{-1};
  std::optional<int> status_;
};

}  // namespace trireme::tune
