#include "tune/study/study.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "core/base/error.h"
#include "core/base/text.h"
#include "tune/search/pareto.h"
#include "tune/search/registry.h"
#include "tune/store/location.h"

namespace trireme::tune {
namespace {

std::optional<Point> point_of(const Space& space, const Parameters& parameters) {
  try {
    return space.point(parameters);
  } catch (const Error&) {
    return std::nullopt;
  }
}

// Stored as a whole path, since `base` is relative to its folder and a study is opened from anywhere.
std::string whole_path(const std::string& path) {
  std::error_code error;
  const auto whole = std::filesystem::absolute(path, error);
  return error ? path : whole.lexically_normal().string();
}

Outcome outcome_of(TrialState state) {
  switch (state) {
    case TrialState::kComplete:
      return Outcome::kDone;
    case TrialState::kFailed:
      return Outcome::kFailed;
    case TrialState::kInfeasible:
      return Outcome::kInfeasible;
    default:
      return Outcome::kPending;
  }
}

// Lower is better.
std::vector<double> values_to_minimize(const Sweep& sweep, const Trial& trial) {
  if (trial.values.size() != sweep.objectives.size())
    throw Error(ErrorCode::kCorrupt, "trial ", trial.number, " has ", trial.values.size(),
                " values, where the sweep has ", sweep.objectives.size(), " objectives");
  std::vector<double> values = trial.values;
  for (std::size_t i = 0; i < values.size(); ++i)
    if (sweep.objectives[i].maximize) values[i] = -values[i];
  return values;
}

}  // namespace

struct Study::Body {
  StudyStore store;
  Sweep sweep;
  std::unique_ptr<Method> method{};
  std::vector<std::optional<Point>> points{};  // of trials by number, whose parameters never change

  Body(StudyStore stored, Sweep parsed) : store(std::move(stored)), sweep(std::move(parsed)) {
    method = make_method(sweep.method, {sweep.space, sweep.seed, sweep.objectives.size(), sweep.acquisition});
  }

  History history(const std::vector<Trial>& trials) {
    while (points.size() < trials.size()) points.push_back(point_of(sweep.space, trials[points.size()].parameters));
    History history;
    for (std::size_t i = 0; i < trials.size(); ++i) {
      if (!points[i]) continue;
      const Outcome outcome = outcome_of(trials[i].state);
      history.push_back({.trial = trials[i].number, .point = *points[i], .outcome = outcome, .note = trials[i].note});
      if (outcome == Outcome::kDone) history.back().values = values_to_minimize(sweep, trials[i]);
    }
    return history;
  }

  std::optional<Proposal> propose(const std::vector<Trial>& trials, std::int64_t number) {
    const auto place = static_cast<std::size_t>(number);
    if (place < sweep.enqueue.size()) return Proposal{sweep.enqueue[place], ""};
    auto suggestion = method->suggest(history(trials), number);
    if (!suggestion) return std::nullopt;
    return Proposal{sweep.space.parameters(suggestion->point), std::move(suggestion->note)};
  }
};

Study::Study(std::unique_ptr<Body> body) : body_(std::move(body)) {}
Study::Study(Study&&) noexcept = default;
Study& Study::operator=(Study&&) noexcept = default;
Study::~Study() = default;

Study Study::create(const std::string& location, std::string_view sweep_text, const std::string& origin) {
  const Sweep sweep = parse_sweep(sweep_text, origin);
  // A search that cannot even begin is refused here, and not when somebody asks.
  make_method(sweep.method, {sweep.space, sweep.seed, sweep.objectives.size(), sweep.acquisition})->suggest({}, 0);
  StudyStore::create(location, {.sweep = std::string(sweep_text), .origin = whole_path(origin)});
  return open(location);
}

Study Study::open(const std::string& location) {
  StudyStore store = StudyStore::open(location);
  Sweep sweep = parse_sweep(store.record().sweep, store.record().origin);
  return Study(std::make_unique<Body>(std::move(store), std::move(sweep)));
}

std::vector<std::string> Study::take_limits(std::string_view sweep_text, const std::string& origin) {
  const Sweep& before = sweep();
  Sweep now = parse_sweep(sweep_text, whole_path(origin));
  const std::vector<std::string> changed = changed_keys(before.text, now.text);
  std::vector<std::string> others = changed;
  std::erase_if(others, is_limit);
  std::error_code error;
  if (others.empty() && std::filesystem::exists(before.base, error) &&
      !std::filesystem::equivalent(before.base, now.base, error))
    others.push_back("base (" + before.base + ")");
  if (!others.empty())
    throw Error(ErrorCode::kUsage, store().location(), " is a study of another sweep than ", origin, " is now, by its ",
                join(others, ", "));
  store().set_sweep(now.text, whole_path(origin));
  body_ = std::make_unique<Body>(std::move(body_->store), std::move(now));
  return changed;
}

const Sweep& Study::sweep() const { return body_->sweep; }
StudyStore& Study::store() { return body_->store; }
const std::vector<Trial>& Study::trials() { return body_->store.trials(); }
History Study::history() { return body_->history(trials()); }

std::optional<Trial> Study::ask(const std::string& worker, double lease_seconds) {
  return body_->store.claim(
      {.worker = worker, .lease_seconds = lease_seconds, .most_trials = sweep().trials},
      [this](const std::vector<Trial>& trials, std::int64_t number) { return body_->propose(trials, number); });
}

void Study::tell(std::int64_t trial, std::optional<std::int64_t> attempt, const std::vector<double>& values) {
  const auto& objectives = sweep().objectives;
  if (values.size() != objectives.size()) {
    std::vector<std::string> names;
    for (const Objective& objective : objectives) names.push_back(objective.name);
    throw Error(ErrorCode::kBadInput, "trial ", trial, " needs ", names.size(),
                names.size() == 1 ? " value" : " values", " (", join(names, ", "), "), got ", values.size());
  }
  const auto wrong = std::ranges::find_if(values, [](double value) { return !std::isfinite(value); });
  if (wrong == values.end()) return body_->store.finish(trial, attempt, {.values = values, .reason = {}});
  const std::string& name = objectives[static_cast<std::size_t>(wrong - values.begin())].name;
  tell(trial, attempt, TrialState::kFailed, name + " is " + trireme::to_text(*wrong) + ", which is no finite number");
}

void Study::tell(std::int64_t trial, std::optional<std::int64_t> attempt, TrialState state, const std::string& reason) {
  body_->store.finish(trial, attempt, {.state = state, .values = {}, .reason = reason});
}

std::vector<const Trial*> Study::best() {
  std::vector<const Trial*> complete;
  std::vector<std::vector<double>> values;
  for (const Trial& trial : trials()) {
    if (trial.state != TrialState::kComplete) continue;
    complete.push_back(&trial);
    values.push_back(values_to_minimize(sweep(), trial));
  }
  if (complete.empty()) return {};
  if (sweep().objectives.size() == 1)
    return {complete[static_cast<std::size_t>(std::ranges::min_element(values) - values.begin())]};
  std::vector<const Trial*> front;
  for (const std::size_t place : pareto_front(values)) front.push_back(complete[place]);
  return front;
}

bool Study::is_finished() {
  const auto& trials = this->trials();
  if (!std::ranges::all_of(trials, [](const Trial& trial) { return is_ended(trial.state); })) return false;
  const auto count = static_cast<std::int64_t>(trials.size());
  if (sweep().trials > 0 && count >= sweep().trials) return true;
  // Only a space with an end can be exhausted; its method knows.
  return sweep().space.distinct() && !body_->propose(trials, count);
}

std::string runs_folder(const std::string& location) {
  const Location place = Location::parse(location);
  if (!place.is_url) return location + ".runs";
  std::string name = place.study;
  std::ranges::replace(name, '/', '-');
  return name + ".runs";
}

std::string trial_folder(const std::string& location, std::int64_t trial) {
  std::array<char, 32> name;
  std::snprintf(name.data(), name.size(), "/%06lld", static_cast<long long>(trial));
  return runs_folder(location) + name.data();
}

}  // namespace trireme::tune
