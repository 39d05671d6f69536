#include "tune/commands/ask_tell.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/base/error.h"
#include "core/base/text.h"
#include "tune/commands/trial_text.h"
#include "tune/trial/worker.h"

namespace trireme::tune {
namespace {

// Not the process, as worker_name() has it: this one ends at once, and its trial would be taken for a lost one.
std::string asker() {
  const std::string name = worker_name();
  return name.substr(0, name.find(':')) + ":ask";
}

[[noreturn]] void refuse(const char* flag, const std::string& text, const char* allowed) {
  throw Error(ErrorCode::kUsage, flag, " must be ", allowed, ", got '", text, "'");
}

// As from_chars has it, and with a plus.
template <class Number>
std::from_chars_result parse(const std::string& text, Number& number) {
  const bool has_plus = text.starts_with('+') && !text.starts_with("+-");
  return std::from_chars(text.data() + has_plus, text.data() + text.size(), number);
}

std::int64_t parse_number(const char* flag, const std::string& text) {
  std::int64_t number = 0;
  const auto [end, error] = parse(text, number);
  if (error != std::errc() || end != text.data() + text.size()) refuse(flag, text, "a whole number");
  return number;
}

// What is beyond all doubles counts as infinite, and what is nearer to 0 than any as 0.
double parse_value(const char* flag, const std::string& text) {
  double number = 0;
  const auto [end, error] = parse(text, number);
  if (error == std::errc::invalid_argument || end != text.data() + text.size())
    refuse(flag, text, "a number, nan or inf");
  return error == std::errc() ? number : std::strtod(text.c_str(), nullptr);
}

// @returns those of --value or --values; nothing where the trial is said to have none
std::optional<std::vector<double>> values_of(const TellOptions& options) {
  const int given = !options.value.empty() + !options.values.empty() + options.failed + options.infeasible;
  if (given != 1)
    throw Error(ErrorCode::kUsage, "one of --value, --values, --failed and --infeasible is due, got ",
                given == 0 ? "none" : "several");
  if (options.failed || options.infeasible) return std::nullopt;
  if (!options.reason.empty())
    throw Error(ErrorCode::kUsage, "--reason goes with --failed or --infeasible: a trial with a value needs none");
  if (!options.value.empty()) return std::vector{parse_value("--value", options.value)};
  std::vector<double> values;
  for (const std::string& text : options.values) values.push_back(parse_value("--values", text));
  return values;
}

int say_nothing_left(Study& study, bool json) {
  const bool is_finished = study.is_finished();
  if (json)
    print_json({{"trial", nullptr}, {"finished", is_finished}});
  else if (is_finished)
    std::cout << "the study is finished: " << counts_text(study.trials()) << "\n";
  else
    std::cout << "no trial is left to hand out: " << counts_text(study.trials()) << "\n";
  return kExitDone;
}

}  // namespace

int ask(const AskOptions& options) {
  Study study = open_study(options.study);
  const std::optional<Trial> trial = study.ask(asker(), options.lease);
  if (!trial) return say_nothing_left(study, options.json);
  if (options.json) {
    print_json({{"trial", trial->number}, {"params", params_json(trial->parameters)}, {"attempt", trial->attempt}});
    return kExitDone;
  }
  std::vector<std::pair<std::string, std::string>> pairs{{"trial", std::to_string(trial->number)}};
  for (const Parameter& parameter : trial->parameters)
    pairs.emplace_back(parameter.name, on_one_line(value_text(parameter.value)));
  print_pairs(pairs);
  return kExitDone;
}

int tell(const TellOptions& options) {
  const std::int64_t number = parse_number("--trial", options.trial);
  std::optional<std::int64_t> attempt;
  if (!options.attempt.empty()) attempt = parse_number("--attempt", options.attempt);
  const auto values = values_of(options);
  Study study = open_study(options.study);
  if (values)
    study.tell(number, attempt, *values);
  else
    study.tell(number, attempt, options.failed ? TrialState::kFailed : TrialState::kInfeasible, options.reason);

  const Trial& trial = study.trials()[static_cast<std::size_t>(number)];
  if (options.json) {
    print_json(
        {{"trial", number}, {"state", to_text(trial.state)}, {"values", trial.values}, {"reason", trial.reason}});
    return kExitDone;
  }
  std::cout << "trial " << number << " is " << to_text(trial.state);
  if (!trial.values.empty()) std::cout << ": " << values_text(study.sweep(), trial.values);
  if (!trial.reason.empty()) std::cout << ": " << trial.reason;
  std::cout << "\n";
  return kExitDone;
}

int retry(const RetryOptions& options) {
  std::vector<std::int64_t> numbers;
  for (const std::string& text : options.trials) numbers.push_back(parse_number("--trials", text));
  Study study = open_study(options.study);
  if (numbers.empty())
    for (const Trial& trial : study.trials())
      if (trial.state == TrialState::kFailed) numbers.push_back(trial.number);
  const auto& trials = study.trials();
  const auto has_failed = [&](std::int64_t number) {
    return number >= 0 && number < static_cast<std::int64_t>(trials.size()) &&
           trials[static_cast<std::size_t>(number)].state == TrialState::kFailed;
  };
  if (const auto wrong = std::ranges::find_if_not(numbers, has_failed); wrong != numbers.end())
    study.store().retry(*wrong);  // says why it cannot; none of them is changed
  for (const std::int64_t number : numbers) study.store().retry(number);
  if (options.json) {
    print_json({{"trials", numbers}});
  } else if (numbers.empty()) {
    std::cout << "no trial has failed: " << counts_text(study.trials()) << "\n";
  } else {
    std::vector<std::string> texts;
    for (const std::int64_t number : numbers) texts.push_back(std::to_string(number));
    std::cout << (texts.size() == 1 ? "trial " : "trials ") << join(texts, ", ")
              << (texts.size() == 1 ? " waits" : " wait") << " to be tried again\n";
  }
  return kExitDone;
}

}  // namespace trireme::tune
