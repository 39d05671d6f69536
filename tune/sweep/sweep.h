#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "tune/search/method.h"
#include "tune/space/space.h"

namespace trireme::tune {

/// What a trial is judged by: a member of its last metric record.
struct Objective {
  std::string name;
  bool maximize = false;
};

/// A sweep file, read and checked: what is searched, how, and what a trial runs. The keys are wandb's, with Optuna's
/// words for what wandb has none for; docs/formats/sweep.md has them all.
struct Sweep {
  std::string name;
  std::string description;
  std::string method = "bayes";
  std::string acquisition = kLogEi;   ///< of bayes
  std::vector<Objective> objectives;  ///< `metric`; at least one
  Space space;                        ///< `parameters`, `constraints`
  std::vector<Parameters> enqueue;    ///< points to be tried first, each one of the space
  std::int64_t trials = 0;            ///< `run_cap` or `n_trials`; 0: until stopped or exhausted
  std::int64_t jobs = 1;              ///< `n_jobs`: trials at a time on this machine
  double timeout_seconds = 0;         ///< `timeout` of each run or resume; 0: none
  double trial_timeout_seconds = 0;   ///< `trial_timeout` of one trial; 0: none
  std::int64_t retries = 2;           ///< `retries`: a trial that a signal killed is started again so many times
  std::uint64_t seed = 0;

  std::vector<std::string> command;  ///< `command` as a list: words, with ${...} to be filled in; empty: none
  std::string shell_command;         ///< `command` as one text: for /bin/sh, values quoted; empty: none
  std::string base;                  ///< `base`: training config of trials that are trireme-train jobs; empty: none
  std::int64_t ranks = 1;            ///< `ranks` of a training job
  std::int64_t threads = 1;          ///< `threads` of a rank

  std::string text;  ///< the file as it was read: what a study stores
};

/// Keys at the top whose values differ between two sweep files.
std::vector<std::string> changed_keys(const std::string& before, const std::string& now);

/// Whether a key says how many trials there are to be and how they are run, and nothing of what they are: it may change
/// while a study goes on.
bool is_limit(const std::string& key);

/// @throws Error kNotFound; kUsage: the key, value seen, what is allowed, line and column, the nearest known name;
/// kBadInput when it holds more than 1 MiB. What nobody would heed is refused here alone: a study that has it is read.
Sweep read_sweep(const std::filesystem::path& path);
/// @param origin  the file's path: for messages, and `base` is relative to its folder
Sweep parse_sweep(std::string_view text, const std::string& origin);

}  // namespace trireme::tune
