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
#include "core/base/log.h"

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
  metrics_.name = (owner->run() / "metrics.jsonl").string();
  events_.name = (owner->run() / "events.jsonl").string();
  metrics_.file = reopen(*owner, "metrics.jsonl", has_record ? kept : kept - 1, [&](const json& record) {
                    tensorboard_.metrics(record);
                  }).file;
  Starts starts;
  Reopened events = reopen(*owner, "events.jsonl", kept, [&](const json& record) {
    tensorboard_.event(record);
    starts.event(record);
  });
  history_ = starts.history();
  tensorboard_.void_older(*owner);
  events_.file = std::move(events.file);
  ended_ = events.last.is_object() && events.last.value(names::kEvent, json()) == names::kEnd;
}

void RunFiles::append(Log& log, const json& record) {
  if (log.file.get() < 0) return;
  log.left += record.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  for (Log* each : {&metrics_, &events_}) write_left(*each, /*at_once=*/false);  // what is left of the other one too
  // It is made of the logs at every start: no run ends for it.
  try {
    tensorboard_.flush();
  } catch (const Error& error) {
    log_debug(error.what());
  }
}

// With one write a line, so that a reader that follows the file sees whole ones.
void RunFiles::write_left(Log& log, bool at_once) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::seconds kPatience{10};
  while (!log.left.empty()) {
    const ssize_t put = ::write(log.file.get(), log.left.data(), log.left.size());
    if (put < 0 && errno == EINTR) continue;
    if (put >= 0) {
      log.left.erase(0, static_cast<std::size_t>(put));
      continue;
    }
    const int reason = errno;
    const bool is_full = reason == ENOSPC || reason == EDQUOT;
    if (is_full && !is_behind_.exchange(true)) {
      full_since_ = Clock::now();
      log_warning("cannot write " + log.name + ": " + system_reason(reason) + "; its lines are kept for " +
                  std::to_string(kPatience.count()) + " s");
    }
    if (is_full && !at_once && Clock::now() - full_since_ < kPatience) return;
    throw Error(ErrorCode::kIo, "cannot write ", log.name, ": ", system_reason(reason));
  }
  if (metrics_.left.empty() && events_.left.empty()) is_behind_ = false;
}

void RunFiles::metrics(const StepRecord& r) {
  json record = to_json(r);
  record[names::kTime] = seconds_since_1970();
  tensorboard_.metrics(record);
  append(metrics_, record);
}

void RunFiles::event(const std::string& name, std::int64_t step, const json& details) {
  json record = {{names::kEvent, name}, {names::kStep, step}, {names::kTime, seconds_since_1970()}};
  record.update(details);
  tensorboard_.event(record);
  append(events_, record);
  ended_ = name == names::kEnd;
}

void RunFiles::event(const std::string& name, std::int64_t step) { event(name, step, json::object()); }

void RunFiles::sync() {
  for (Log* log : {&metrics_, &events_})
    if (log->file.get() >= 0) write_left(*log, /*at_once=*/true);
  sync_logs();
  try {
    tensorboard_.sync();
  } catch (const Error& error) {
    log_warning(error.what());
  }
}

void RunFiles::sync_logs() const {
  if (is_behind_) throw Error(ErrorCode::kIo, "the logs could not be written yet: the disk is full");
  for (const Descriptor* file : {&metrics_.file, &events_.file})
    if (file->get() >= 0 && ::fsync(file->get()) != 0)
      throw Error(ErrorCode::kIo, "cannot sync the logs: ", system_reason(errno));
}

}  // namespace trireme::train
