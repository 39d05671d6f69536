#include "train/report/summary.h"

#include <algorithm>
#include <cmath>
#include <ctime>

#include "core/base/files.h"
#include "core/base/text.h"

namespace trireme::train {
namespace {

std::string number_text(double value, const char* format) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string step_text(double step) { return step < 1e6 ? number_text(step, "%.0f") : count_text(step); }

double last_of(const std::vector<double>& values) {
  for (auto value = values.rbegin(); value != values.rend(); ++value)
    if (std::isfinite(*value)) return *value;
  return NAN;
}

double median_of(std::vector<double> values) {
  std::erase_if(values, [](double value) { return !std::isfinite(value); });
  if (values.empty()) return NAN;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double sum_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += std::isfinite(value) ? value : 0;
  return sum;
}

double highest_of(const std::vector<double>& values) {
  double highest = NAN;
  for (const double value : values) highest = std::isfinite(value) && !(highest >= value) ? value : highest;
  return highest;
}

// Wall clock a step, evaluations and saving included, of the newest records that the run wrote without a pause.
double seconds_per_step(const RunLog& log) {
  constexpr std::size_t kRecent = 200;
  const auto& times = log.times();
  const auto& steps = log.steps();
  if (times.size() < 2) return NAN;
  double since = 0;
  for (const RunLog::Event& event : log.events())
    if (event.name == names::kStart || event.name == names::kResumed) since = event.time;
  std::size_t first = times.size() - 1;
  while (first > 0 && times.size() - first <= kRecent && times[first - 1] >= since) --first;
  return (times.back() - times[first]) / (steps.back() - steps[first]);
}

}  // namespace

Summary summarise(const RunLog& log, double now) {
  Summary summary;
  fs::path path = log.run().lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  if (path == "." || path.filename() == "..") path = fs::weakly_canonical(path);
  summary.name = well_formed_utf8(path.filename().string());
  const auto figure = [&](const char* label, std::string value, std::string note = "") {
    summary.figures.push_back({label, std::move(value), std::move(note)});
  };
  const auto shown = [&](const char* label, double value, std::string text, std::string note = "") {
    if (std::isfinite(value)) figure(label, std::move(text), std::move(note));
  };

  summary.step = log.steps().empty() ? 0 : log.steps().back();
  const double asked_for = log.config_number("steps");
  summary.steps = std::isfinite(asked_for) ? asked_for : 0;
  const double pace = seconds_per_step(log);
  // Patience for one slow step, an evaluation or a save, and for clocks of other nodes.
  const double patience = std::max(60.0, std::isfinite(pace) ? 20 * pace : 0);
  const std::string last_event = log.events().empty() ? "" : log.events().back().name;
  if (last_event == names::kEnd)
    summary.state = Summary::State::kComplete;
  else if (last_event != names::kStopped && now - log.last_change() < patience)
    summary.state = Summary::State::kRunning;
  if (summary.state == Summary::State::kRunning && std::isfinite(pace) && summary.steps > 0)
    summary.seconds_left = std::max(0.0, summary.steps - summary.step) * pace;

  figure("step", step_text(summary.step), summary.steps > 0 ? "of " + step_text(summary.steps) : "");
  if (log.lines_passed_over() > 0)
    figure("unreadable", std::to_string(log.lines_passed_over()), "lines of the logs, left out");
  const double tokens = last_of(log.column(&StepRecord::tokens));
  shown("tokens", tokens, count_text(tokens));
  const double loss = last_of(log.column(&StepRecord::loss));
  shown("training loss", loss, number_text(loss, "%.4f"), "nats a token");
  for (const auto& [name, set] : log.evaluations()) {
    const auto best = std::min_element(set.loss.begin(), set.loss.end());
    if (best == set.loss.end()) continue;
    const double at = set.steps[static_cast<std::size_t>(best - set.loss.begin())];
    figure((name + " loss").c_str(), number_text(set.loss.back(), "%.4f"),
           "best " + number_text(*best, "%.4f") + " at " + step_text(at));
    const double bits = last_of(set.bits_per_byte);
    shown((name + " bits").c_str(), bits, number_text(bits, "%.4f"), "a byte of text");
    const double accuracy = last_of(set.accuracy);
    shown((name + " accuracy").c_str(), accuracy, number_text(100 * accuracy, "%.2f%%"), "of labels");
  }
  const double rate = median_of(log.column(&StepRecord::tokens_per_second));
  shown("tokens a second", rate, count_text(rate), "median");
  const double mfu = median_of(log.column(&StepRecord::mfu));
  shown("MFU", mfu, number_text(100 * mfu, "%.0f%%"), "median");
  const double step_ms = median_of(log.column(&StepRecord::step_ms));
  shown("step time", step_ms, step_ms < 1000 ? number_text(step_ms, "%.3g ms") : duration_text(step_ms / 1000),
        "median");
  const double logged = sum_of(log.column(&StepRecord::step_ms));
  if (logged > 0) {
    const double waited = sum_of(log.column(&StepRecord::data_wait_ms));
    figure("waiting for data", number_text(100 * waited / logged, "%.2g%%"), "of step time");
    // Records may be of every n-th step; a stall counts in the record behind it.
    const double computed =
        logged * (log.steps().back() - log.steps().front() + 1) / static_cast<double>(log.records());
    const double stalled = sum_of(log.column(&StepRecord::checkpoint_stall_ms));
    figure("saving", number_text(100 * stalled / (computed + stalled), "%.2g%%"), "of training time");
  }
  const double memory = highest_of(log.column(&StepRecord::memory_bytes));
  shown("memory", memory, bytes_text(memory), "highest, all ranks");
  const auto resumed = std::count_if(log.events().begin(), log.events().end(),
                                     [](const RunLog::Event& event) { return event.name == names::kResumed; });
  if (resumed > 0) figure("resumed", std::to_string(resumed), resumed == 1 ? "time" : "times");
  return summary;
}

std::string local_time(double seconds_since_1970, const char* format) {
  const auto seconds = static_cast<std::time_t>(seconds_since_1970);
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  char text[64];
  return {text, std::strftime(text, sizeof text, format, &parts)};
}

const char* state_text(Summary::State state) {
  switch (state) {
    case Summary::State::kComplete:
      return "complete";
    case Summary::State::kRunning:
      return "running";
    case Summary::State::kStopped:
      return "not complete";
  }
  return "";
}

bool is_marked(const RunLog::Event& event) {
  for (const char* usual :
       {names::kStart, names::kStopped, names::kEnd, names::kCheckpointRequested, names::kCheckpointDurable})
    if (event.name == usual) return false;
  return true;
}

std::string event_text(const RunLog::Event& event) {
  std::vector<std::string> details;
  for (const auto& [name, value] : event.details)
    // What a page has no room for, or says elsewhere.
    if (name != "fingerprint" && event.name != names::kEnd)
      details.push_back(name + " " + (name.ends_with("_hash") ? value.substr(0, 12) : value));
  return event.name + (details.empty() ? "" : ": " + join(details, ", "));
}

}  // namespace trireme::train
