#include "tune/commands/trial_text.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "core/base/text.h"

namespace trireme::tune {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array kStates{TrialState::kWaiting, TrialState::kRunning, TrialState::kComplete, TrialState::kFailed,
                             TrialState::kInfeasible};
constexpr std::size_t kMostCharacters = 40;  // of a text in a table

Json time_json(double seconds) { return seconds == 0 ? Json(nullptr) : Json(seconds); }

std::string cell_of(const Trial& trial, const std::string& name) {
  const auto found = std::ranges::find(trial.parameters, name, &Parameter::name);
  return found == trial.parameters.end() ? "-" : short_text(found->value);
}

}  // namespace

Json params_json(const Parameters& parameters) {
  Json json = Json::object();
  for (const Parameter& parameter : parameters) json[parameter.name] = Json(value_json(parameter.value));
  return json;
}

Json trial_json(const Trial& trial) {
  return {{"trial", trial.number},
          {"state", to_text(trial.state)},
          {"values", trial.values},
          {"params", params_json(trial.parameters)},
          {"seconds", is_ended(trial.state) ? Json(seconds_of(trial, 0)) : Json(nullptr)},
          {"reason", trial.reason},
          {"attempt", trial.attempt},
          {"worker", trial.worker},
          {"created", time_json(trial.created)},
          {"started", time_json(trial.started)},
          {"ended", time_json(trial.ended)}};
}

Json best_json(Study& study, const std::string& location) {
  Json list = Json::array();
  for (const Trial* trial : study.best()) {
    list.push_back({{"trial", trial->number}, {"values", trial->values}, {"params", params_json(trial->parameters)}});
    const std::string folder = trial_folder(location, trial->number);
    std::error_code error;
    if (std::filesystem::exists(folder, error)) list.back()["run"] = folder;
  }
  return list;
}

Json objectives_json(const Sweep& sweep) {
  Json list = Json::array();
  for (const Objective& objective : sweep.objectives)
    list.push_back({{"name", objective.name}, {"goal", objective.maximize ? "maximize" : "minimize"}});
  return list;
}

Json counts_json(const std::vector<Trial>& trials) {
  Json json = Json::object();
  for (const TrialState state : kStates) json[std::string(to_text(state))] = count_of(trials, state);
  return json;
}

void print_json(const Json& json) { std::cout << json.dump(-1, ' ', false, Json::error_handler_t::replace) << "\n"; }

std::string short_text(double value) {
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), "%.6g", value);
  return text.data();
}

std::string short_text(const Value& value) {
  if (const auto* number = std::get_if<double>(&value)) return short_text(*number);
  return one_line(value_text(value), kMostCharacters);
}

std::string params_text(const Parameters& parameters) {
  std::vector<std::string> parts;
  for (const Parameter& parameter : parameters) parts.push_back(parameter.name + "=" + short_text(parameter.value));
  return join(parts, " ");
}

std::string values_text(const Sweep& sweep, const std::vector<double>& values) {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < std::min(values.size(), sweep.objectives.size()); ++i)
    parts.push_back(one_line(sweep.objectives[i].name, kMostCharacters) + " " + short_text(values[i]));
  return join(parts, ", ");
}

double seconds_of(const Trial& trial, double now) {
  if (trial.started == 0) return 0;
  return std::max(0.0, (is_ended(trial.state) ? trial.ended : now) - trial.started);
}

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

std::int64_t count_of(const std::vector<Trial>& trials, TrialState state) {
  return std::ranges::count(trials, state, &Trial::state);
}

std::string counts_text(const std::vector<Trial>& trials) {
  std::vector<std::string> parts;
  for (const TrialState state : kStates)
    if (const auto count = count_of(trials, state); count > 0)
      parts.push_back(std::to_string(count) + " " + std::string(to_text(state)));
  return parts.empty() ? "none" : join(parts, ", ");
}

TextTable trial_table(const Sweep& sweep, const std::vector<const Trial*>& trials) {
  std::vector<std::string> titles{"trial", "state"};
  for (const Objective& objective : sweep.objectives) titles.push_back(one_line(objective.name, kMostCharacters));
  titles.emplace_back("time");
  for (const Dimension& dimension : sweep.space.dimensions()) titles.push_back(dimension.name);
  TextTable table(std::move(titles));
  for (const Trial* trial : trials) {
    std::vector<std::string> cells{std::to_string(trial->number), std::string(to_text(trial->state))};
    for (std::size_t i = 0; i < sweep.objectives.size(); ++i)
      cells.push_back(i < trial->values.size() ? short_text(trial->values[i]) : "-");
    cells.push_back(trial->started == 0 ? "-" : duration_text(seconds_of(*trial, now())));
    for (const Dimension& dimension : sweep.space.dimensions()) cells.push_back(cell_of(*trial, dimension.name));
    table.add(std::move(cells));
  }
  return table;
}

}  // namespace trireme::tune
