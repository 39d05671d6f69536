#include "train/loop/run_files.h"

#include <unistd.h>

#include <algorithm>
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

// Which starts were lost, from the events in order.
class Starts {
 public:
  void event(const json& record) {
    const json name = record.value(names::kEvent, json()), time = record.value(names::kTime, json());
    if (!name.is_string() || !time.is_number()) return;
    const double now = time.get<double>();
    if (name == names::kStart || name == names::kResumed) {
      lose();
      is_open_ = true;
      begin_ = now;
    }
    last_ = now;
    if (name == names::kStopped || name == names::kEnd) close();
  }
  FailureHistory history() {
    lose();  // this start follows it
    return history_;
  }

 private:
  void close() {
    if (is_open_) history_.seconds += std::max(0.0, last_ - begin_);
    is_open_ = false;
  }
  void lose() {
    history_.failures += is_open_;
    close();
  }
  FailureHistory history_;
  bool is_open_ = false;
  double begin_ = 0, last_ = 0;
};

struct Reopened {
  Descriptor file{-1};
  json last;  // record kept
};

/// @param show  is given every record that stays
Reopened reopen(const models::RunOwner& owner, const char* name, std::int64_t step,
                const std::function<void(const json&)>& show) {
  const fs::path path = owner.run() / name;
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
  log.file = owner.put_log(path, kept);
  return log;
}

}  // namespace

RunFiles::RunFiles(const models::RunOwner* owner, std::int64_t step, bool has_record) {
  if (!owner) return;
  const std::int64_t kept = step == 0 ? -1 : step;
  tensorboard_ = TensorBoard(*owner);
  metrics_ = reopen(*owner, "metrics.jsonl", has_record ? kept : kept - 1, [&](const json& record) {
               tensorboard_.metrics(record);
             }).file;
  Starts starts;
  Reopened events = reopen(*owner, "events.jsonl", kept, [&](const json& record) {
    tensorboard_.event(record);
    starts.event(record);
  });
  history_ = starts.history();
  tensorboard_.void_older(*owner);
  events_ = std::move(events.file);
  ended_ = events.last.is_object() && events.last.value(names::kEvent, json()) == names::kEnd;
}

void RunFiles::append(const Descriptor& file, const std::string& name, const json& record) {
  if (file.get() < 0) return;
  const std::string line = record.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  // One write: a reader that follows the file sees whole lines.
  std::size_t done = 0;
  while (done < line.size()) {
    const ssize_t put = ::write(file.get(), line.data() + done, line.size() - done);
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
  sync_logs();
  tensorboard_.sync();
}

void RunFiles::sync_logs() const {
  for (const Descriptor* file : {&metrics_, &events_})
    if (file->get() >= 0 && ::fsync(file->get()) != 0)
      throw Error(ErrorCode::kIo, "cannot sync the logs: ", system_reason(errno));
}

}  // namespace trireme::train
