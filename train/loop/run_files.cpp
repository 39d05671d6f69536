#include "train/loop/run_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/base/error.h"
#include "core/base/files.h"

namespace trireme::train {
namespace {

using nlohmann::json;

double seconds_since_1970() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// Whether a line of a log stays when the run goes on from `step`.
bool stays(const json& record, std::int64_t step) {
  if (!record.is_object()) return false;
  const auto found = record.find(names::kStep);
  return found != record.end() && found->is_number_integer() && *found <= step;
}

struct Reopened {
  int file = -1;
  json last;  // record kept
};

/// @param show  is given every record that stays
Reopened reopen(const fs::path& path, std::int64_t step, const std::function<void(const json&)>& show) {
  std::string kept;
  Reopened log;
  if (fs::exists(path)) {
    std::istringstream lines(read_file(path));
    for (std::string line; std::getline(lines, line);) {
      json record = json::parse(line, nullptr, /*allow_exceptions=*/false);
      if (!stays(record, step)) continue;
      kept += line + "\n";
      show(record);
      log.last = std::move(record);
    }
  }
  write_file_atomically(path, kept);
  log.file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (log.file < 0) throw Error(ErrorCode::kIo, "cannot open ", path.string(), ": ", system_reason(errno));
  return log;
}

}  // namespace

RunFiles::RunFiles(const std::filesystem::path& run, std::int64_t step, bool writes, bool has_record) {
  if (!writes) return;
  const std::int64_t kept = step == 0 ? -1 : step;
  tensorboard_ = TensorBoard(run);
  metrics_ = reopen(run / "metrics.jsonl", has_record ? kept : kept - 1, [&](const json& record) {
               tensorboard_.metrics(record);
             }).file;
  const Reopened events = reopen(run / "events.jsonl", kept, [&](const json& record) { tensorboard_.event(record); });
  tensorboard_.void_older();
  events_ = events.file;
  ended_ = events.last.is_object() && events.last.value(names::kEvent, json()) == names::kEnd;
}

RunFiles::~RunFiles() {
  if (metrics_ >= 0) ::close(metrics_);
  if (events_ >= 0) ::close(events_);
}

void RunFiles::append(int file, const std::string& name, const json& record) {
  if (file < 0) return;
  const std::string line = record.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  // One write: a reader that follows the file sees whole lines.
  std::size_t done = 0;
  while (done < line.size()) {
    const ssize_t put = ::write(file, line.data() + done, line.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) throw Error(ErrorCode::kIo, "cannot write ", name, ": ", system_reason(errno));
    done += static_cast<std::size_t>(put);
  }
}

void RunFiles::metrics(const StepRecord& r) {
  json record = to_json(r);
  record[names::kTime] = seconds_since_1970();
  append(metrics_, "metrics.jsonl", record);
  tensorboard_.metrics(record);
  tensorboard_.flush();
}

void RunFiles::event(const std::string& name, std::int64_t step, const json& details) {
  json record = {{names::kEvent, name}, {names::kStep, step}, {names::kTime, seconds_since_1970()}};
  record.update(details);
  append(events_, "events.jsonl", record);
  tensorboard_.event(record);
  tensorboard_.flush();
  ended_ = name == names::kEnd;
}

void RunFiles::event(const std::string& name, std::int64_t step) { event(name, step, json::object()); }

void RunFiles::sync() {
  for (const int file : {metrics_, events_})
    if (file >= 0 && ::fsync(file) != 0) throw Error(ErrorCode::kIo, "cannot sync the logs: ", system_reason(errno));
  tensorboard_.sync();
}

}  // namespace trireme::train
