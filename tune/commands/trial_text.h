#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "tune/commands/text_table.h"
#include "tune/store/trial.h"
#include "tune/study/study.h"

namespace trireme::tune {

// How commands show trials: to people in tables and lines, to programs as JSON.

/// {"trial": 17, "state": "complete", "values": [0.25], "params": {...}, "seconds": 1.5, ...}
nlohmann::ordered_json trial_json(const Trial& trial);
/// {"width": 128}, in the order of the space
nlohmann::ordered_json params_json(const Parameters& parameters);
/// The best trials, each with its number, values, parameters and, where there is one, its run's folder.
nlohmann::ordered_json best_json(Study& study, const std::string& location);
/// [{"name": "eval_loss", "goal": "minimize"}]
nlohmann::ordered_json objectives_json(const Sweep& sweep);
/// {"waiting": 0, "running": 1, ...}, all states
nlohmann::ordered_json counts_json(const std::vector<Trial>& trials);
/// One line on stdout; what is not UTF-8 in a name becomes U+FFFD.
void print_json(const nlohmann::ordered_json& json);

/// Six digits of a number: for people, never for a file.
std::string short_text(double value);
/// A value in a table: numbers rounded, text on one line.
std::string short_text(const Value& value);
/// "width=128 rate=0.00123"
std::string params_text(const Parameters& parameters);
/// "eval_loss 0.25, speed 3.1"
std::string values_text(const Sweep& sweep, const std::vector<double>& values);
/// From when it was handed out to its end. @param now  the end of what still runs
double seconds_of(const Trial& trial, double now);
/// Seconds since 1970.
double now();
/// "10 complete, 1 failed, 2 running": those that are not 0; "none" of no trial.
std::string counts_text(const std::vector<Trial>& trials);
/// How many trials are in a state.
std::int64_t count_of(const std::vector<Trial>& trials, TrialState state);

/// Number, state, values, time and parameters of trials.
TextTable trial_table(const Sweep& sweep, const std::vector<const Trial*>& trials);

}  // namespace trireme::tune
