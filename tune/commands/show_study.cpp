#include "tune/commands/show_study.h"

#include <array>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/text.h"
#include "tune/commands/trial_text.h"

namespace trireme::tune {
namespace {

using Json = nlohmann::ordered_json;

std::string date_text(double seconds) {
  const auto whole = static_cast<std::time_t>(seconds);
  std::tm parts{};
  std::array<char, 32> text{};
  if (::localtime_r(&whole, &parts)) std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &parts);
  return text.data();
}

Json status_json(Study& study, const std::string& location) {
  const Sweep& sweep = study.sweep();
  const auto& trials = study.trials();
  Json running = Json::array();
  for (const Trial& trial : trials)
    if (trial.state == TrialState::kRunning)
      running.push_back({{"trial", trial.number},
                         {"seconds", seconds_of(trial, now())},
                         {"worker", trial.worker},
                         {"attempt", trial.attempt}});
  Json json{{"study", study.store().location()},
            {"sweep", study.store().record().origin},
            {"name", sweep.name},
            {"description", sweep.description},
            {"method", sweep.method},
            {"acquisition", sweep.method == "bayes" ? Json(sweep.acquisition) : Json(nullptr)},
            {"seed", sweep.seed},
            {"objectives", objectives_json(sweep)},
            {"created", study.store().record().created},
            {"most_trials", sweep.trials > 0 ? Json(sweep.trials) : Json(nullptr)},
            {"trials", counts_json(trials)},
            {"running", running}};
  json["finished"] = study.is_finished();
  json["best"] = best_json(study, location);
  return json;
}

std::string best_text(Study& study) {
  const auto best = study.best();
  if (best.empty()) return "none yet";
  if (study.sweep().objectives.size() > 1)
    return std::to_string(best.size()) + " trials that no other dominates: trireme-tune best shows them";
  return values_text(study.sweep(), best[0]->values) + " (trial " + std::to_string(best[0]->number) + ") with " +
         params_text(best[0]->parameters);
}

std::string goals_text(const Sweep& sweep) {
  std::vector<std::string> parts;
  for (const Objective& objective : sweep.objectives)
    parts.push_back(one_line(objective.name, 60) + (objective.maximize ? " (maximize)" : " (minimize)"));
  return join(parts, ", ");
}

using Pairs = std::vector<std::pair<std::string, std::string>>;

Pairs trial_pairs(const Sweep& sweep, const Trial& trial, const std::string& location) {
  Pairs pairs{{"trial", std::to_string(trial.number)}};
  for (std::size_t i = 0; i < trial.values.size(); ++i)
    pairs.emplace_back(one_line(sweep.objectives[i].name, 60), trireme::to_text(trial.values[i]));
  for (const Parameter& parameter : trial.parameters)
    pairs.emplace_back(parameter.name, on_one_line(value_text(parameter.value)));
  const std::string folder = trial_folder(location, trial.number);
  std::error_code error;
  if (std::filesystem::exists(folder, error)) pairs.emplace_back("run", folder);
  return pairs;
}

Pairs status_pairs(Study& study) {
  const Sweep& sweep = study.sweep();
  const StudyRecord& record = study.store().record();
  const auto& trials = study.trials();
  Pairs pairs{{"study", study.store().location()}};
  if (!sweep.name.empty()) pairs.emplace_back("name", one_line(sweep.name, 80));
  if (!sweep.description.empty()) pairs.emplace_back("about", one_line(sweep.description, 200));
  pairs.emplace_back("sweep", record.origin);
  const std::string by = sweep.method == "bayes" ? " by " + sweep.acquisition : "";
  pairs.emplace_back("method", sweep.method + by + ", seed " + std::to_string(sweep.seed));
  pairs.emplace_back("metric", goals_text(sweep));
  pairs.emplace_back("since",
                     date_text(record.created) + ", " + duration_text(std::max(0.0, now() - record.created)) + " ago");
  const std::string most = sweep.trials > 0 ? " of " + std::to_string(sweep.trials) : "";
  pairs.emplace_back("trials", std::to_string(trials.size()) + most + ": " + counts_text(trials));
  for (const Trial& trial : trials)
    if (trial.state == TrialState::kRunning)
      pairs.emplace_back("running", "trial " + std::to_string(trial.number) + " for " +
                                        duration_text(seconds_of(trial, now())) + " on " + trial.worker);
  pairs.emplace_back("best", best_text(study));
  pairs.emplace_back("finished", study.is_finished() ? "yes" : "no");
  return pairs;
}

}  // namespace

int show_status(const ShowOptions& options) {
  Study study = open_study(options.study);
  if (options.json) {
    print_json(status_json(study, options.study));
    return kExitDone;
  }
  print_pairs(status_pairs(study));
  return kExitDone;
}

int show_trials(const TrialsOptions& options) {
  Study study = open_study(options.study);
  std::vector<const Trial*> shown;
  for (const Trial& trial : study.trials())
    if (options.state == "all" || options.state == to_text(trial.state)) shown.push_back(&trial);
  if (!options.json) {
    print_table(trial_table(study.sweep(), shown));
    return kExitDone;
  }
  Json list = Json::array();
  for (const Trial* trial : shown) list.push_back(trial_json(*trial));
  print_json({{"study", study.store().location()}, {"objectives", objectives_json(study.sweep())}, {"trials", list}});
  return kExitDone;
}

int show_best(const ShowOptions& options) {
  Study study = open_study(options.study);
  const auto best = study.best();
  if (best.empty())
    throw Error(ErrorCode::kNotFound, study.store().location(),
                " has no complete trial: ", counts_text(study.trials()));
  if (options.json) {
    print_json({{"study", study.store().location()},
                {"objectives", objectives_json(study.sweep())},
                {"best", best_json(study, options.study)}});
  } else if (best.size() == 1) {
    print_pairs(trial_pairs(study.sweep(), *best[0], options.study));
  } else {
    print_table(trial_table(study.sweep(), best));
  }
  return kExitDone;
}

}  // namespace trireme::tune
