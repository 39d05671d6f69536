#pragma once
#include <string>

#include "tune/commands/open_study.h"

namespace trireme::tune {

/// `trireme-tune status` and `best`
struct ShowOptions {
  std::string study;
  bool json = false;

  static constexpr auto fields() {
    using C = ShowOptions;
    return std::tuple{Field{"study", &C::study, kStudyHelp, kRequired}, Field{"json", &C::json, kJsonHelp}};
  }
};

/// `trireme-tune trials`
struct TrialsOptions {
  std::string study;
  std::string state = "all";
  bool json = false;

  static constexpr auto fields() {
    using C = TrialsOptions;
    return std::tuple{Field{"study", &C::study, kStudyHelp, kRequired},
                      Field{"state", &C::state, "only trials in this state",
                            OneOf("all", "waiting", "running", "complete", "failed", "infeasible")},
                      Field{"json", &C::json, kJsonHelp}};
  }
};

int show_status(const ShowOptions& options);
int show_trials(const TrialsOptions& options);
/// The best trial in full; of several objectives, all that no other dominates.
int show_best(const ShowOptions& options);

}  // namespace trireme::tune
