#pragma once
#include <cstdint>

namespace trireme::train {

/// How often starts of a run were lost so far.
struct FailureHistory {
  std::int64_t failures = 0;  ///< starts that did not say that they ended
  double seconds = 0;         ///< that all starts trained, as far as the logs tell
};

/// Mean seconds between losses of a job: the mean of a gamma distribution over rates that begins with one loss in
/// `prior_hours` and has seen the history.
/// @param prior_hours  of the whole job
double mean_seconds_between_failures(double prior_hours, const FailureHistory& history);

/// Mean hours between losses of one rank where nothing is known: 419 unexpected interruptions in 54 days on 16,384 GPUs
/// (Llama 3 team 2024, arXiv:2407.21783, section 3.3.4).
inline constexpr double kRankHoursBetweenFailures = 50000;

/// Seconds between saves that cost least: what saves take from training, and what is done twice after a loss.
///
/// Source: Daly 2006, "A higher order estimate of the optimum checkpoint interval for restart dumps", equation 37; to
/// first order sqrt(2 cost mean), Young 1974.
/// @param cost    seconds that a save takes from training: its stall, not what is written meanwhile
/// @param mean    mean_seconds_between_failures()
/// @param write   seconds that a save is under way: there is one at a time, so no interval is shorter
/// @param budget  the most that saves may take from training, as a share of it
double best_save_interval(double cost, double mean, double write, double budget);

}  // namespace trireme::train
