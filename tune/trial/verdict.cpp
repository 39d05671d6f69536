#include "tune/trial/verdict.h"

#include <string.h>
#include <sys/wait.h>

#include "core/base/error.h"
#include "core/base/text.h"

namespace trireme::tune {
namespace {

using Kind = Verdict::Kind;

constexpr std::int64_t kMostResumptions = 100;

// A shell that ran the command ends with 128 + n where signal n killed it. Real-time signals are left out: 255 is how
// many programs say -1.
int killing_signal(int status) {
  if (WIFSIGNALED(status)) return WTERMSIG(status);
  const int exit_status = WEXITSTATUS(status);
  return exit_status > 128 && exit_status < 128 + 32 ? exit_status - 128 : 0;
}

std::string with_line(const std::string& what, const std::string& line) {
  return line.empty() ? what : what + ": " + line;
}

std::string times(std::int64_t count) { return count == 1 ? "once" : std::to_string(count) + " times"; }

Verdict judge_killed(int signal, const Ending& ending, std::int64_t retries, Restarts& restarts) {
  const std::string what = "killed by signal " + std::to_string(signal) + " (" + ::strsignal(signal) + ")";
  if (restarts.killed < retries) {
    ++restarts.killed;
    return {.kind = Kind::kAgain, .reason = what};
  }
  const std::string again = restarts.killed > 0 ? ", after it was started again " + times(restarts.killed) : "";
  return {.kind = Kind::kFailed, .reason = with_line(what + again, ending.last_error_line)};
}

Verdict judge_resumable(const Ending& ending, Restarts& restarts) {
  const std::string what = "exit status 75, to be gone on with";
  if (restarts.resumed < kMostResumptions) {
    ++restarts.resumed;
    return {.kind = Kind::kAgain, .reason = what};
  }
  return {.kind = Kind::kFailed,
          .reason = with_line(what + ", after it was " + times(restarts.resumed), ending.last_error_line)};
}

Verdict judge_own_end(const Ending& ending, const Sweep& sweep, Restarts& restarts) {
  if (const int signal = killing_signal(ending.status)) return judge_killed(signal, ending, sweep.retries, restarts);
  const int exit_status = WEXITSTATUS(ending.status);
  if (exit_status == kExitResumable) return judge_resumable(ending, restarts);
  if (exit_status != 0) {
    const std::string what = "exit status " + std::to_string(exit_status);
    return {.kind = Kind::kFailed, .reason = with_line(what, ending.last_error_line), .likeness = what};
  }
  if (!ending.values)
    return {.kind = Kind::kFailed, .reason = ending.missing, .likeness = ending.has_record ? "" : kNoResult};
  return {.kind = Kind::kValues, .values = *ending.values};
}

}  // namespace

Verdict judge(const Ending& ending, const Sweep& sweep, Restarts& restarts) {
  switch (ending.interruption) {
    case Interruption::kTakenOver:
      return {.kind = Kind::kForget};
    case Interruption::kTimeout:
      return {.kind = Kind::kFailed, .reason = "timed out after " + duration_text(sweep.trial_timeout_seconds)};
    case Interruption::kStop:
      if (!sweep.base.empty() && ending.status == 0 && ending.values)
        return {.kind = Kind::kValues, .values = *ending.values};
      return {.kind = Kind::kAgain, .reason = "stopped"};
    case Interruption::kNone:
      break;
  }
  return judge_own_end(ending, sweep, restarts);
}

Verdict not_started(const std::string& reason) {
  return {.kind = Kind::kFailed, .reason = reason, .likeness = "not started"};
}

}  // namespace trireme::tune
