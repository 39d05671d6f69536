#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tune/sweep/sweep.h"
#include "tune/trial/restarts.h"

namespace trireme::tune {

/// The likeness of trials whose command did all its work and had no result.
constexpr const char* kNoResult = "no result";

/// Why a runner ended a command itself.
enum class Interruption {
  kNone,
  kTimeout,    ///< the trial took too long
  kStop,       ///< the sweep is to stop
  kTakenOver,  ///< another runner has the trial
};

/// How a command ended.
struct Ending {
  int status = 0;  ///< as waitpid(2) gives it
  Interruption interruption = Interruption::kNone;
  std::optional<std::vector<double>> values;  ///< of its last record
  std::string missing;                        ///< why there are none
  bool has_record = false;                    ///< there was one, if only of what is no number
  std::string last_error_line;                ///< of its stderr
};

/// What becomes of a trial behind an attempt.
struct Verdict {
  enum class Kind {
    kValues,  ///< it has a result
    kFailed,
    kAgain,   ///< it is given back: another attempt goes on with it
    kForget,  ///< it is another runner's
  };
  Kind kind = Kind::kForget;
  std::vector<double> values{};
  std::string reason{};
  std::string likeness{};  ///< of a failure that may be the sweep's own fault: the same text for the same kind
};

/// A signal that was not ours means another attempt, `retries` times: it is most often the kernel's, out of memory.
/// Exit status 75 (EX_TEMPFAIL) asks for another attempt, and gets it a hundred times. A command that was stopped has
/// no result whatever it printed, for it may not have done all its work; only a training job says 0 when it has.
/// @param restarts  counted up for kAgain
Verdict judge(const Ending& ending, const Sweep& sweep, Restarts& restarts);

/// A trial whose command cannot be started.
Verdict not_started(const std::string& reason);

}  // namespace trireme::tune
