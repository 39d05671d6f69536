#include "train/loop/run_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/base/error.h"
#include "core/base/files.h"

namespace trireme::train {
namespace {

using nlohmann::json;

// Whether a line of a log stays when the run goes on from `step`.
bool stays(const json& record, std::int64_t step) {
  if (!record.is_object()) return false;
  const auto found = record.find("step");
  return found != record.end() && found->is_number_integer() && *found <= step;
}

struct Reopened {
  int file = -1;
  json last;  // record kept
};

Reopened reopen(const fs::path& path, std::int64_t step) {
  std::string kept;
  Reopened log;
  if (fs::exists(path)) {
    std::istringstream lines(read_file(path));
    for (std::string line; std::getline(lines, line);) {
      json record = json::parse(line, nullptr, /*allow_exceptions=*/false);
      if (!stays(record, step)) continue;
      kept += line + "\n";
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
  metrics_ = reopen(run / "metrics.jsonl", has_record ? kept : kept - 1).file;
  const Reopened events = reopen(run / "events.jsonl", kept);
  events_ = events.file;
  ended_ = events.last.is_object() && events.last.value("event", json()) == "end";
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

json to_json(const std::vector<SetLoss>& sets) {
  json object = json::object();
  for (const SetLoss& set : sets) {
    json& one = object[set.name] = {{"loss", set.loss}, {"bits_per_byte", set.bits_per_byte}};
    if (set.ema_loss) one["ema_loss"] = *set.ema_loss;
    if (set.ema_bits_per_byte) one["ema_bits_per_byte"] = *set.ema_bits_per_byte;
  }
  return object;
}

json to_json(const StepRecord& r) {
  json record = {{"step", r.step},
                 {"tokens", r.tokens},
                 {"loss", r.loss},
                 {"grad_norm", r.grad_norm},
                 {"learning_rate", r.learning_rate},
                 {"tokens_per_second", r.tokens_per_second},
                 {"mfu", r.mfu},
                 {"step_ms", r.step_ms},
                 {"data_wait_ms", r.data_wait_ms},
                 {"checkpoint_stall_ms", r.checkpoint_stall_ms},
                 {"memory_bytes", r.memory_bytes},
                 {"samples_hash", r.samples_hash}};
  if (!r.eval.empty()) {
    record["eval_loss"] = r.eval.front().loss;
    record["eval"] = to_json(r.eval);
  }
  return record;
}

StepRecord record_from_json(const json& record) {
  StepRecord r;
  record.at("step").get_to(r.step);
  record.at("tokens").get_to(r.tokens);
  record.at("loss").get_to(r.loss);
  record.at("grad_norm").get_to(r.grad_norm);
  record.at("learning_rate").get_to(r.learning_rate);
  record.at("tokens_per_second").get_to(r.tokens_per_second);
  record.at("mfu").get_to(r.mfu);
  record.at("step_ms").get_to(r.step_ms);
  record.at("data_wait_ms").get_to(r.data_wait_ms);
  record.at("checkpoint_stall_ms").get_to(r.checkpoint_stall_ms);
  record.at("memory_bytes").get_to(r.memory_bytes);
  record.at("samples_hash").get_to(r.samples_hash);
  return r;
}

void RunFiles::metrics(const StepRecord& record) { append(metrics_, "metrics.jsonl", to_json(record)); }

void RunFiles::event(const std::string& name, std::int64_t step, const json& details) {
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  json record = {{"event", name}, {"step", step}, {"time", now.count()}};
  record.update(details);
  append(events_, "events.jsonl", record);
  ended_ = name == "end";
}

void RunFiles::event(const std::string& name, std::int64_t step) { event(name, step, json::object()); }

void RunFiles::sync() {
  for (const int file : {metrics_, events_})
    if (file >= 0 && ::fsync(file) != 0) throw Error(ErrorCode::kIo, "cannot sync the logs: ", system_reason(errno));
}

}  // namespace trireme::train
