#include "tune/commands/export_trials.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/text.h"
#include "tune/commands/trial_text.h"

namespace trireme::tune {
namespace {

// RFC 4180, with line feeds.
std::string csv_cell(const std::string& cell) {
  if (cell.find_first_of(",\"\r\n") == std::string::npos) return cell;
  std::string text = "\"";
  for (const char c : cell) text += c == '"' ? std::string("\"\"") : std::string(1, c);
  return text + "\"";
}

std::string csv_line(std::vector<std::string> cells) {
  for (std::string& cell : cells) cell = csv_cell(cell);
  return join(cells, ",") + "\n";
}

std::string time_text(double seconds) {
  return seconds == 0 ? "" : value_text(seconds);  // plain digits, where spreadsheets would round 1.79e9
}

// Parameters and metrics may have any name, hence the prefixes.
std::string csv_titles(const Sweep& sweep) {
  std::vector<std::string> titles{"trial", "state"};
  for (const Objective& objective : sweep.objectives) titles.push_back("values." + objective.name);
  for (const Dimension& dimension : sweep.space.dimensions()) titles.push_back("params." + dimension.name);
  for (const char* title : {"seconds", "attempt", "worker", "created", "started", "ended", "reason"})
    titles.emplace_back(title);
  return csv_line(titles);
}

std::string csv_row(const Sweep& sweep, const Trial& trial) {
  std::vector<std::string> cells{std::to_string(trial.number), std::string(to_text(trial.state))};
  for (std::size_t i = 0; i < sweep.objectives.size(); ++i)
    cells.push_back(i < trial.values.size() ? trireme::to_text(trial.values[i]) : "");
  for (const Dimension& dimension : sweep.space.dimensions()) {
    const auto found = std::ranges::find(trial.parameters, dimension.name, &Parameter::name);
    cells.push_back(found == trial.parameters.end() ? "" : value_text(found->value));
  }
  cells.push_back(is_ended(trial.state) ? trireme::to_text(seconds_of(trial, 0)) : "");
  cells.push_back(std::to_string(trial.attempt));
  cells.push_back(trial.worker);
  for (const double time : {trial.created, trial.started, trial.ended}) cells.push_back(time_text(time));
  cells.push_back(trial.reason);
  return csv_line(cells);
}

std::string json_row(const Trial& trial) {
  return trial_json(trial).dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

// /dev/stdout leads to the file that the shell opened, and behind what is in it already.
bool is_stdout(const std::string& out) {
  struct stat named{}, own{};
  return ::stat(out.c_str(), &named) == 0 && ::fstat(1, &own) == 0 && named.st_dev == own.st_dev &&
         named.st_ino == own.st_ino;
}

constexpr int kMostLinks = 40;  // of links to links, as Linux has it

// A file is replaced as a whole, where a link leads to it; what is none (a pipe, a terminal) is written to.
void write_out(const std::string& out, const std::string& text, const std::string& study) {
  std::error_code error;
  for (const char* part : {"", "-wal", "-shm"})
    if (fs::equivalent(out, study + part, error))
      throw Error(ErrorCode::kUsage, "--out ", out, " is the study itself: give another file");
  if (is_stdout(out)) {
    std::cout << text;
    return;
  }
  if (fs::exists(out, error) && !fs::is_regular_file(out, error)) {
    std::ofstream stream(out);
    stream << text;
    if (!stream.flush()) throw Error(ErrorCode::kIo, "cannot write ", out, ": ", system_reason(errno));
    return;
  }
  fs::path target = out;
  for (int links = 0; links < kMostLinks && fs::is_symlink(target, error); ++links)
    target = target.parent_path() / fs::read_symlink(target, error);
  write_file_atomically(target, text);
}

}  // namespace

int export_trials(const ExportOptions& options) {
  Study study = open_study(options.study);
  const bool is_csv = options.format == "csv";
  std::string text = is_csv ? csv_titles(study.sweep()) : "";
  for (const Trial& trial : study.trials()) text += is_csv ? csv_row(study.sweep(), trial) : json_row(trial);
  if (options.out.empty())
    std::cout << text;
  else
    write_out(options.out, text, options.study);
  return kExitDone;
}

}  // namespace trireme::tune
