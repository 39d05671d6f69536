#include "tune/store/trial_rows.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/base/error.h"
#include "core/base/text.h"

namespace trireme::tune {
namespace {

using Json = nlohmann::ordered_json;  // parameters keep the order of the space

void check_finite(double number, const std::string& what) {
  if (!std::isfinite(number)) throw Error(ErrorCode::kBadInput, what, " must be a finite number, got ", number);
}

// Replaces what is not UTF-8: for what people and programs say, never for what is computed with.
std::string spoken(const std::string& text) { return on_one_line(well_formed_utf8(text)); }

std::string parameters_text(const Parameters& parameters) try {
  Json json = Json::object();
  for (const auto& [name, value] : parameters) {
    if (const auto number = value_number(value)) check_finite(*number, "parameter " + name);
    if (!json.emplace(name, Json(value_json(value))).second)
      throw Error(ErrorCode::kBadInput, "parameter ", name, " is there twice");
  }
  return json.dump();
} catch (const Json::exception&) {
  throw Error(ErrorCode::kBadInput, "names and values of parameters must be UTF-8");
}

Parameters parameters_of(const std::string& text) {
  const Json json = Json::parse(text);
  Parameters parameters;
  for (const auto& [name, value] : json.get_ref<const Json::object_t&>())
    parameters.push_back({name, value_from_json(nlohmann::json(value), "parameter " + name)});
  return parameters;
}

std::string values_text(const std::vector<double>& values) {
  for (const double value : values) check_finite(value, "the value of a trial");
  return Json(values).dump();
}

constexpr const char* kColumns =
    "number, state, parameters, result, note, reason, attempt, worker, created, started, ended, lease_until, revision";

Trial trial_of(const Row& row) try {
  Trial trial;
  trial.number = integer_of(row.at(0));
  trial.state = trial_state(text_of(row.at(1)));
  trial.parameters = parameters_of(text_of(row.at(2)));
  trial.values = Json::parse(text_of(row.at(3))).get<std::vector<double>>();
  trial.note = text_of(row.at(4));
  trial.reason = text_of(row.at(5));
  trial.attempt = integer_of(row.at(6));
  trial.worker = text_of(row.at(7));
  trial.created = number_of(row.at(8));
  trial.started = number_of(row.at(9));
  trial.ended = number_of(row.at(10));
  trial.lease_until = number_of(row.at(11));
  return trial;
} catch (const std::exception& error) {
  throw Error(ErrorCode::kCorrupt, "the row of a trial is damaged: ", error.what());
}

}  // namespace

std::int64_t TrialRows::read_changes(std::vector<Trial>& trials, std::int64_t revision) const {
  const auto rows = database_->execute(std::string("select ") + kColumns +
                                           " from trireme_tune_trial where study = $1 and revision > $2"
                                           " order by number",
                                       {study_, revision});
  for (const Row& row : rows) {
    Trial trial = trial_of(row);
    const auto number = static_cast<std::size_t>(trial.number);
    if (number > trials.size())
      throw Error(ErrorCode::kCorrupt, "the study has a trial ", trial.number, " but no trial ", trials.size());
    revision = std::max(revision, integer_of(row.at(12)));
    if (number == trials.size())
      trials.push_back(std::move(trial));
    else
      trials[number] = std::move(trial);
  }
  return revision;
}

void TrialRows::insert(const Trial& trial, std::int64_t revision) const {
  database_->execute(std::string("insert into trireme_tune_trial (study, ") + kColumns +
                         ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
                     {study_, trial.number, std::string(to_text(trial.state)), parameters_text(trial.parameters),
                      values_text(trial.values), trial.note, spoken(trial.reason), trial.attempt, spoken(trial.worker),
                      trial.created, trial.started, trial.ended, trial.lease_until, revision});
}

void TrialRows::update(const Trial& trial, std::int64_t revision) const {
  database_->execute(
      "update trireme_tune_trial set state = $3, result = $4, reason = $5, attempt = $6, worker = $7, started = $8,"
      " ended = $9, lease_until = $10, revision = $11 where study = $1 and number = $2",
      {study_, trial.number, std::string(to_text(trial.state)), values_text(trial.values), spoken(trial.reason),
       trial.attempt, spoken(trial.worker), trial.started, trial.ended, trial.lease_until, revision});
}

}  // namespace trireme::tune
