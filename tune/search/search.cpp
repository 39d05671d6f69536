#include "tune/search/search.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "tune/search/registry.h"

namespace trireme::tune {

Search::Search(Space space, const Options& options)
    : space_(std::move(space)),
      objectives_(options.objectives),
      method_(make_method(options.method, {space_, options.seed, options.objectives, options.acquisition})) {}

std::optional<Search::Trial> Search::ask() {
  const auto number = static_cast<std::int64_t>(history_.size());
  auto suggestion = method_->suggest(history_, number);
  if (!suggestion) return std::nullopt;
  Trial trial{number, space_.parameters(suggestion->point)};
  history_.push_back({.trial = number, .point = std::move(suggestion->point), .note = std::move(suggestion->note)});
  return trial;
}

void Search::tell(std::int64_t trial, std::vector<double> values) {
  Observation& observation = pending(trial);
  if (values.size() != objectives_)
    throw Error(ErrorCode::kBadInput, "trial ", trial, " needs ", objectives_, objectives_ == 1 ? " value" : " values",
                ", got ", values.size());
  if (!std::all_of(values.begin(), values.end(), [](double value) { return std::isfinite(value); })) {
    observation.outcome = Outcome::kFailed;
    return;
  }
  observation.outcome = Outcome::kDone;
  observation.values = std::move(values);
}

void Search::tell(std::int64_t trial, Outcome outcome) {
  if (outcome != Outcome::kFailed && outcome != Outcome::kInfeasible)
    throw Error(ErrorCode::kBadInput, "trial ", trial, ": without values a trial has failed or is infeasible");
  pending(trial).outcome = outcome;
}

Observation& Search::pending(std::int64_t trial) {
  if (!(trial >= 0 && trial < static_cast<std::int64_t>(history_.size())))
    throw Error(ErrorCode::kBadInput, "there is no trial ", trial, ": ", history_.size(), " were asked for, from 0 on");
  Observation& observation = history_[static_cast<std::size_t>(trial)];
  if (observation.outcome != Outcome::kPending) throw Error(ErrorCode::kBadInput, "trial ", trial, " was told before");
  return observation;
}

}  // namespace trireme::tune
