#include "train/report/run_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/text.h"

namespace trireme::train {
namespace {

using nlohmann::json;

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kChunk = 1 << 20, kLineLimit = 64 << 20;

double number_of(const json& record, const char* name) {
  const auto found = record.find(name);
  return found != record.end() && found->is_number() ? found->get<double>() : kMissing;
}

std::int64_t whole_number_of(const json& record, const char* name, std::int64_t otherwise) {
  const auto found = record.find(name);
  return found != record.end() && found->is_number_integer() ? found->get<std::int64_t>() : otherwise;
}

std::string text_of(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return to_text(value.get<double>());
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string text_of(const json& record, const char* name) {
  const auto found = record.find(name);
  return found == record.end() ? "" : text_of(*found);
}

void flatten(const YAML::Node& node, const std::string& key, std::vector<std::pair<std::string, std::string>>& out) {
  if (node.IsMap()) {
    for (const auto& entry : node)
      flatten(entry.second, key.empty() ? entry.first.Scalar() : key + "." + entry.first.Scalar(), out);
  } else if (node.IsSequence()) {
    std::vector<std::string> items;
    for (const auto& item : node) items.push_back(item.IsScalar() ? item.Scalar() : YAML::Dump(item));
    out.emplace_back(key, join(items, "\n"));
  } else if (!key.empty()) {
    out.emplace_back(key, node.IsScalar() ? node.Scalar() : "");
  }
}

}  // namespace

bool FollowedLines::update(const std::function<void()>& restart, const std::function<void(std::string_view)>& line) {
  // Opened anew each time: over a network file system that is what shows what another node has written.
  const int file = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    if (errno == ENOENT) return false;
    throw Error(ErrorCode::kIo, "cannot open ", path_.string(), ": ", system_reason(errno));
  }
  struct Closing {
    int file;
    ~Closing() { ::close(file); }
  } const closing{file};
  struct stat status{};
  if (::fstat(file, &status) != 0) throw Error(ErrorCode::kIo, "cannot read ", path_.string());
  bool news = false;
  if (status.st_dev != device_ || status.st_ino != inode_ || static_cast<std::uint64_t>(status.st_size) < offset_) {
    news = inode_ != 0;
    restart();
    device_ = status.st_dev;
    inode_ = status.st_ino;
    offset_ = 0;
  }
  std::string buffer;
  std::size_t held = 0;  // bytes of a line whose end has not been read yet
  for (;;) {
    buffer.resize(held + kChunk);
    const ssize_t got = ::pread(file, buffer.data() + held, kChunk, static_cast<off_t>(offset_ + held));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw Error(ErrorCode::kIo, "cannot read ", path_.string(), ": ", system_reason(errno));
    if (got == 0) return news;
    const std::string_view bytes(buffer.data(), held + static_cast<std::size_t>(got));
    std::size_t begin = 0;
    for (std::size_t end; (end = bytes.find('\n', begin)) != std::string_view::npos; begin = end + 1) {
      line(bytes.substr(begin, end - begin));
      news = true;
    }
    held = bytes.size() - begin;
    offset_ += begin;
    if (held > kLineLimit)
      throw Error(ErrorCode::kBadInput, path_.string(), " has a line of over ", kLineLimit, " bytes: it is no log");
    std::memmove(buffer.data(), buffer.data() + begin, held);
  }
}

const std::string* RunLog::Event::find(std::string_view member) const {
  for (const auto& [name, value] : details)
    if (name == member) return &value;
  return nullptr;
}

RunLog::RunLog(std::filesystem::path run)
    : run_(std::move(run)), metrics_file_(run_ / "metrics.jsonl"), events_file_(run_ / "events.jsonl") {
  if (!fs::exists(run_ / "metrics.jsonl") && !fs::exists(run_ / "events.jsonl"))
    throw Error(ErrorCode::kNotFound, run_.string(), " is no run: it has neither metrics.jsonl nor events.jsonl");
  update();
}

bool RunLog::update() {
  const bool events = events_file_.update(
      [&] {
        events_.clear();
        samples_.clear();
        evaluations_.clear();
        events_passed_over_ = 0;
      },
      [&](std::string_view line) { read_event(line); });
  const bool metrics = metrics_file_.update(
      [&] {
        steps_.clear();
        times_.clear();
        for (auto& column : columns_) column.clear();
        metrics_passed_over_ = 0;
      },
      [&](std::string_view line) { read_metrics(line); });
  if (events || config_.empty()) read_config();  // every start writes it anew, and an event with it
  return events || metrics;
}

void RunLog::read_metrics(std::string_view line) {
  const json record = json::parse(line, nullptr, /*allow_exceptions=*/false);
  const std::int64_t step = record.is_object() ? whole_number_of(record, names::kStep, -1) : -1;
  if (step < 0) {
    ++metrics_passed_over_;
    return;
  }
  steps_.push_back(static_cast<double>(step));
  times_.push_back(number_of(record, names::kTime));
  for (std::size_t i = 0; i < kMetrics.size(); ++i) columns_[i].push_back(number_of(record, kMetrics[i].name));
}

void RunLog::read_event(std::string_view line) {
  const json record = json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!record.is_object() || !record.contains(names::kEvent)) {
    ++events_passed_over_;
    return;
  }
  Event event{
      text_of(record, names::kEvent), whole_number_of(record, names::kStep, 0), number_of(record, names::kTime), {}};
  if (std::isnan(event.time)) event.time = 0;
  if (event.name == names::kSample) {
    samples_.push_back({event.step, whole_number_of(record, names::kNumber, 1), text_of(record, names::kPrompt),
                        text_of(record, names::kText)});
    return;
  }
  if (event.name == names::kEval) {
    const auto add = [&](const std::string& name, double loss, const std::optional<double>& bits_per_byte,
                         const std::optional<double>& accuracy) {
      Evaluations& set = evaluations_[name];
      set.steps.push_back(static_cast<double>(event.step));
      set.loss.push_back(loss);
      set.bits_per_byte.push_back(bits_per_byte.value_or(kMissing));
      set.accuracy.push_back(accuracy.value_or(kMissing));
    };
    for (const SetLoss& set : sets_of_event(record)) {
      add(set.name, set.loss, set.bits_per_byte, set.accuracy);
      if (set.ema_loss) add(set.name + " (averaged weights)", *set.ema_loss, set.ema_bits_per_byte, set.ema_accuracy);
    }
    return;
  }
  for (const auto& [name, value] : record.items())
    if (name != names::kEvent && name != names::kStep && name != names::kTime)
      event.details.emplace_back(name, text_of(value));
  events_.push_back(std::move(event));
}

void RunLog::read_config() {
  config_.clear();
  try {
    flatten(YAML::Load(read_file(run_ / "config.yaml", 1 << 24)), "", config_);
  } catch (const std::exception&) {
    config_.clear();  // a page without a config is better than none
  }
}

double RunLog::config_number(std::string_view key) const {
  for (const auto& [name, value] : config_) {
    double number = 0;
    if (name == key && std::from_chars(value.data(), value.data() + value.size(), number).ec == std::errc())
      return number;
  }
  return kMissing;
}

double RunLog::last_change() const {
  double newest = 0;
  for (const char* name : {"metrics.jsonl", "events.jsonl"}) {
    struct stat status{};
    if (::stat((run_ / name).c_str(), &status) == 0)
      newest = std::max(
          newest, static_cast<double>(status.st_mtim.tv_sec) + 1e-9 * static_cast<double>(status.st_mtim.tv_nsec));
  }
  return newest;
}

}  // namespace trireme::train
