#include "tune/commands/progress.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "core/base/live_line.h"
#include "core/base/text.h"
#include "tune/commands/trial_text.h"

namespace trireme::tune {
namespace {

constexpr std::chrono::milliseconds kOnTerminal{100}, kOnPipe{5000};
constexpr std::size_t kBarCells = 20;

std::int64_t count_ended(const std::vector<Trial>& trials) {
  return std::ranges::count_if(trials, [](const Trial& trial) { return is_ended(trial.state); });
}

std::string ended_text(const Sweep& sweep, const Trial& trial) {
  std::string text = "trial " + std::to_string(trial.number) + " " + std::string(to_text(trial.state)) + " after " +
                     duration_text(seconds_of(trial, 0));
  if (!trial.values.empty()) text += ": " + values_text(sweep, trial.values);
  if (!trial.reason.empty()) text += ": " + one_line(trial.reason, 200);
  const std::string params = params_text(trial.parameters);
  return params.empty() ? text : text + " | " + params;
}

std::string rate_text(double per_second) {
  std::array<char, 48> text;
  if (per_second >= 1)
    std::snprintf(text.data(), text.size(), "%.1f a second", per_second);
  else if (per_second * 60 >= 1)
    std::snprintf(text.data(), text.size(), "%.1f a minute", per_second * 60);
  else
    std::snprintf(text.data(), text.size(), "%.1f an hour", per_second * 3600);
  return text.data();
}

}  // namespace

Progress::Progress(Study& study) : study_(study) {
  for (const Trial& trial : study.trials()) ended_.push_back(is_ended(trial.state));
}

void Progress::show(const std::vector<SlotState>& slots) {
  const auto& trials = study_.trials();
  show_ended(trials);
  if (Clock::now() - last_ < (block_.is_terminal() ? kOnTerminal : kOnPipe)) return;
  last_ = Clock::now();
  if (!block_.is_terminal()) return block_.line(summary(trials));
  const std::string bar = bar_of(trials);
  std::vector<std::string> lines{bar + cut_to(summary(trials), block_.columns() - (bar.empty() ? 0 : kBarCells + 1))};
  for (std::string& line : slot_lines(slots)) lines.push_back(std::move(line));
  block_.show(lines);
}

void Progress::end() {
  const auto& trials = study_.trials();
  show_ended(trials);
  block_.line(summary(trials));
}

void Progress::show_ended(const std::vector<Trial>& trials) {
  ended_.resize(trials.size());
  for (std::size_t i = 0; i < trials.size(); ++i) {
    if (ended_[i] || !is_ended(trials[i].state)) continue;
    ended_[i] = true;
    ++ended_here_;
    block_.line(ended_text(study_.sweep(), trials[i]));
    if (block_.is_terminal()) last_ = {};  // it took the block's place
  }
}

std::string Progress::bar_of(const std::vector<Trial>& trials) const {
  const auto most = study_.sweep().trials;
  if (most == 0 || block_.columns() < 3 * kBarCells) return "";
  const double share = static_cast<double>(count_ended(trials)) / static_cast<double>(most);
  return progress_bar(share, kBarCells, wants_colour()) + " ";
}

std::string Progress::summary(const std::vector<Trial>& trials) {
  const Sweep& sweep = study_.sweep();
  const std::int64_t ended = count_ended(trials), failed = count_of(trials, TrialState::kFailed);
  std::string text =
      std::to_string(ended) + (sweep.trials > 0 ? " of " + std::to_string(sweep.trials) : "") + " trials";
  if (failed > 0) text += ", " + std::to_string(failed) + " failed";
  if (const auto best = study_.best(); best.size() == 1 && sweep.objectives.size() == 1)
    text += ", best " + values_text(sweep, best[0]->values) + " (trial " + std::to_string(best[0]->number) + ")";
  else if (!best.empty())
    text += ", " + std::to_string(best.size()) + " that no other dominates";
  const double rate = static_cast<double>(ended_here_) / std::chrono::duration<double>(Clock::now() - begin_).count();
  if (ended_here_ == 0) return text;
  text += ", " + rate_text(rate);
  if (sweep.trials > ended) text += ", " + duration_text(static_cast<double>(sweep.trials - ended) / rate) + " left";
  return text;
}

std::vector<std::string> Progress::slot_lines(const std::vector<SlotState>& slots) const {
  TextTable table({"slot", "trial", "time", "says"});
  std::size_t place = 0;
  for (const SlotState& slot : slots) {
    const bool is_idle = slot.trial < 0;
    table.add({std::to_string(place++), is_idle ? "-" : std::to_string(slot.trial),
               is_idle ? "-" : duration_text(slot.seconds), is_idle ? "" : one_line(slot.last_line, 200)});
  }
  std::vector<std::string> lines = table.lines(block_.columns());
  const std::size_t room = std::max<std::size_t>(4, block_.rows()) - 2;  // beside the summary
  if (lines.size() > room) {
    lines.resize(room);
    lines.back() = "… and " + std::to_string(slots.size() - (room - 2)) + " slots more";
  }
  return lines;
}

}  // namespace trireme::tune
