#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tune/space/value.h"

namespace trireme::tune {

enum class TrialState {
  kWaiting,     ///< nobody has it: enqueued, or given back to be gone on with
  kRunning,     ///< somebody has it, under a lease or without end
  kComplete,    ///< has values
  kFailed,      ///< its program failed, or its result was not a finite number
  kInfeasible,  ///< was said to be not allowed
};

/// "waiting", "running", "complete", "failed", "infeasible": as tables and stores have it.
std::string_view to_text(TrialState state);
/// @throws Error kBadInput for any other text
TrialState trial_state(std::string_view text);
constexpr bool is_ended(TrialState state) { return state != TrialState::kWaiting && state != TrialState::kRunning; }

/// The reason of a trial that failed and is to be tried again: nothing of what it left counts.
constexpr const char* kRetried = "to be tried again";

/// A trial as a study stores it.
struct Trial {
  std::int64_t number = 0;  ///< from 0, without gaps
  TrialState state = TrialState::kWaiting;
  Parameters parameters;
  std::vector<double> values;  ///< of kComplete: one an objective, as they were reported; finite
  std::string note;            ///< what the search method wrote to it
  std::string reason;          ///< why it failed, or what it was given back for; one line
  std::int64_t attempt = 0;    ///< how often it was handed out; whoever has it names this number
  std::string worker;          ///< who has it, or had it last: as worker_name() has it, or any text
  double created = 0;          ///< seconds since 1970, as all times here; 0: not yet
  double started = 0;          ///< when its last attempt was handed out
  double ended = 0;
  double lease_until = 0;  ///< kRunning: others may take it from then on; 0: never
};

}  // namespace trireme::tune
