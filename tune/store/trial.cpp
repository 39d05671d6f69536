#include "tune/store/trial.h"

#include <algorithm>
#include <array>

#include "core/base/error.h"

namespace trireme::tune {
namespace {

constexpr std::array<std::string_view, 5> kStates{"waiting", "running", "complete", "failed", "infeasible"};

}  // namespace

std::string_view to_text(TrialState state) { return kStates.at(static_cast<std::size_t>(state)); }

TrialState trial_state(std::string_view text) {
  const auto found = std::ranges::find(kStates, text);
  if (found == kStates.end())
    throw Error(ErrorCode::kBadInput, "a trial is waiting, running, complete, failed or infeasible, not ", text);
  return static_cast<TrialState>(found - kStates.begin());
}

}  // namespace trireme::tune
