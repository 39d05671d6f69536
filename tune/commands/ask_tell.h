#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "tune/commands/open_study.h"

namespace trireme::tune {

/// `trireme-tune ask`
struct AskOptions {
  std::string study;
  double lease = 0;
  bool json = false;

  static constexpr auto fields() {
    using C = AskOptions;
    return std::tuple{Field{"study", &C::study, kStudyHelp, kRequired},
                      Field{"lease", &C::lease,
                            "seconds until others may be given the trial, if nobody has told its result by then; 0: it "
                            "is kept for whoever asked",
                            Range(0, 1e9)},
                      Field{"json", &C::json, kJsonHelp}};
  }
};

/// `trireme-tune tell`
struct TellOptions {
  std::string study;
  std::string trial;
  std::string value;
  std::vector<std::string> values;
  bool failed = false, infeasible = false;
  std::string reason;
  std::string attempt;
  bool json = false;

  static constexpr auto fields() {
    using C = TellOptions;
    return std::tuple{
        Field{"study", &C::study, kStudyHelp, kRequired},
        Field{"trial", &C::trial, "its number, as ask gave it", kRequired},
        Field{"value", &C::value, "what the metric came to; nan and inf make it a failed trial"},
        Field{"values", &C::values, "of several metrics: one each, in the order of the sweep file"},
        Field{"failed", &C::failed, "it has no result: it crashed or diverged"},
        Field{"infeasible", &C::infeasible, "it has no result: its parameters are not allowed"},
        Field{"reason", &C::reason, "why it has no result"},
        Field{"attempt", &C::attempt,
              "as ask gave it: the result is refused when the lease ran out and another worker has the trial"},
        Field{"json", &C::json, kJsonHelp}};
  }
};

/// `trireme-tune retry`
struct RetryOptions {
  std::string study;
  std::vector<std::string> trials;
  bool json = false;

  static constexpr auto fields() {
    using C = RetryOptions;
    return std::tuple{Field{"study", &C::study, kStudyHelp, kRequired},
                      Field{"trials", &C::trials, "their numbers; none: all that failed"},
                      Field{"json", &C::json, kJsonHelp}};
  }
};

/// Prints the next trial. There is none when the study is finished, or when all of its trials are handed out.
int ask(const AskOptions& options);
/// Ends a trial.
int tell(const TellOptions& options);
/// Lets trials that failed be tried again, with the parameters that they had.
int retry(const RetryOptions& options);

}  // namespace trireme::tune
