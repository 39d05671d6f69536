#include "train/loop/tensorboard.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "train/loop/step_record.h"

namespace trireme::train {
namespace {

using nlohmann::json;

// TensorBoard takes any name that holds "tfevents", and reads them in the order of their names.
constexpr std::string_view kPrefix = "events.out.tfevents.", kSuffix = ".trireme";

/// The number in the name of a file of ours, or -1.
std::int64_t number_of(const fs::path& path) {
  const std::string name = path.filename().string();
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix) || name.size() <= kPrefix.size() + kSuffix.size())
    return -1;
  const std::string digits = name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size());
  if (digits.size() > 12 || digits.find_first_not_of("0123456789") != std::string::npos) return -1;
  return std::stoll(digits);
}

double number_or(const json& record, const char* name, double otherwise) {
  const auto found = record.find(name);
  return found != record.end() && found->is_number() ? found->get<double>() : otherwise;
}

std::int64_t step_of(const json& record) { return static_cast<std::int64_t>(number_or(record, names::kStep, 0)); }

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

}  // namespace

TensorBoard::TensorBoard(const models::RunOwner& owner) {
  const fs::path &run = owner.run(), folder = run / "tensorboard";
  std::error_code failed;
  fs::create_directory(folder, failed);
  if (failed) throw Error(ErrorCode::kIo, "cannot create ", folder.string(), ": ", failed.message());
  // A clock that was set back, or two starts in one second, must not give a name that sorts before.
  std::int64_t number = static_cast<std::int64_t>(now());
  for (const auto& entry : fs::directory_iterator(folder)) number = std::max(number, number_of(entry.path()) + 1);
  std::string digits = std::to_string(number);
  digits.insert(0, 10 - std::min<std::size_t>(10, digits.size()), '0');
  path_ = folder / (std::string(kPrefix) + digits + std::string(kSuffix));
  const fs::path fresh = owner.fresh("tensorboard");
  file_ = EventFile(fresh, now());
  if (fs::exists(run / "config.yaml")) {
    file_.begin(0, now());
    file_.text("config", well_formed_utf8(read_file(run / "config.yaml", 1 << 24)));
    file_.end();
  }
  owner.give(fresh, path_);
  file_.has_moved(path_);
}

void TensorBoard::metrics(const json& record) {
  file_.begin(step_of(record), number_or(record, names::kTime, now()));
  for (const Metric& metric : kMetrics) {
    const double value = number_or(record, metric.name, NAN);
    if (!std::isnan(value)) file_.scalar(metric.tag, value);
  }
  file_.end();
}

void TensorBoard::event(const json& record) {
  const json name = record.value(names::kEvent, json());
  file_.begin(step_of(record), number_or(record, names::kTime, now()));
  if (name == names::kEval) {
    for (const SetLoss& set : sets_of_event(record)) {
      const std::string tag = "eval/" + set.name;
      file_.scalar(tag + "/loss", set.loss);
      const auto put = [&](const char* name, const std::optional<double>& value) {
        if (value) file_.scalar(tag + name, *value);
      };
      put("/bits_per_byte", set.bits_per_byte);
      put("/accuracy", set.accuracy);
      put("/ema_loss", set.ema_loss);
      put("/ema_bits_per_byte", set.ema_bits_per_byte);
      put("/ema_accuracy", set.ema_accuracy);
    }
  } else if (name == names::kSample && record.contains(names::kText)) {
    const auto text = [&](const char* member) {
      const auto found = record.find(member);
      return found != record.end() && found->is_string() ? found->get<std::string>() : "";
    };
    file_.text("sample/" + std::to_string(static_cast<std::int64_t>(number_or(record, names::kNumber, 1))),
               text(names::kPrompt) + text(names::kText));
  }
  file_.end();
}

void TensorBoard::void_older(const models::RunOwner& owner) {
  if (path_.empty()) return;
  file_.flush();
  std::vector<fs::path> older;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(path_.parent_path(), ignored))
    if (number_of(entry.path()) >= 0 && entry.path() != path_) older.push_back(entry.path());
  std::ranges::sort(older, {}, number_of);
  for (const fs::path& path : older) try {
      if (path == older.back())
        owner.put(path, "");  // a new file: who still writes into the old one writes to nowhere
      else
        owner.remove(path);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kTakenOver) throw;
      log_debug(error.what());  // what stays is read before the new file, and voided by it
    }
}

}  // namespace trireme::train
