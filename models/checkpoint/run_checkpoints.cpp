#include "models/checkpoint/run_checkpoints.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "models/checkpoint/verify.h"

namespace trireme::models {
namespace {

std::string step_name(std::int64_t step) {
  char name[40];
  std::snprintf(name, sizeof name, "step-%08lld", static_cast<long long>(step));
  return name;
}

// The step of "step-00000200"; nothing for any other spelling.
std::optional<std::int64_t> step_of(const std::string& name) {
  constexpr std::size_t kPrefix = 5, kLongest = 23;
  if (!name.starts_with("step-") || name.size() > kLongest) return std::nullopt;
  std::int64_t step = 0;
  for (const char c : name.substr(kPrefix)) {
    if (c < '0' || c > '9') return std::nullopt;
    step = step * 10 + (c - '0');
  }
  return step_name(step) == name ? std::optional(step) : std::nullopt;
}

fs::path checkpoints_of(const fs::path& run) { return run / "checkpoints"; }

bool is_checkpoint(const fs::path& model) {
  const fs::path name = model.has_filename() ? model.filename() : model.parent_path().filename();
  return fs::exists(model / kManifestFile) || step_of(name.string());
}

// Nothing where it is damaged or gone. What cannot be opened for another reason may be the best one there is.
std::optional<Checkpoint> opened(const fs::path& directory) {
  try {
    return Checkpoint::open(directory);
  } catch (const Error& error) {
    if (!is_damage(error)) throw;
    return std::nullopt;
  }
}

bool is_among(std::int64_t step, const std::vector<EvaluatedStep>& best, std::int64_t count) {
  const auto end = best.begin() + std::min(count, static_cast<std::int64_t>(best.size()));
  return std::any_of(best.begin(), end, [&](const EvaluatedStep& one) { return one.step == step; });
}

// What cannot go stays, and is named; the run goes on.
void remove_or_say(const RunOwner& owner, const fs::path& directory) {
  try {
    owner.remove(directory);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kTakenOver) throw;
    log_warning(error.what());
  }
}

bool is_for_ever(std::int64_t step, const Retention& retention) {
  return retention.every > 0 && step % retention.every == 0;
}

std::int64_t step_number(const std::string& text) {
  std::int64_t step = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), step);
  if (text.empty() || result.ec != std::errc() || result.ptr != text.data() + text.size() || step < 0)
    throw Error(ErrorCode::kUsage, "--step must be newest, best or a step, got '", text, "'");
  return step;
}

}  // namespace

fs::path checkpoint_path(const fs::path& run, std::int64_t step) { return checkpoints_of(run) / step_name(step); }

std::vector<std::int64_t> checkpoint_steps(const fs::path& run) {
  std::vector<std::int64_t> steps;
  std::error_code error;
  for (fs::directory_iterator entry(checkpoints_of(run), error), end; !error && entry != end; entry.increment(error))
    if (const auto step = step_of(entry->path().filename().string())) steps.push_back(*step);
  if (error && error != std::errc::no_such_file_or_directory)
    throw Error(ErrorCode::kIo, "cannot list ", checkpoints_of(run).string(), ": ", error.message());
  std::sort(steps.begin(), steps.end());
  return steps;
}

std::optional<double> evaluated_loss(const Checkpoint& checkpoint) {
  const auto training = nlohmann::json::parse(checkpoint.training_json(), nullptr, /*allow_exceptions=*/false);
  const auto member = [&](const char* key) {
    return training.is_object() ? training.value(key, nlohmann::json()) : nlohmann::json();
  };
  const nlohmann::json step = member("step"), evaluated = member("eval-step"), loss = member("eval-loss");
  if (!step.is_number_integer() || !evaluated.is_number_integer() || step != evaluated || !loss.is_number())
    return std::nullopt;
  return loss.get<double>();
}

std::vector<EvaluatedStep> best_checkpoints(const fs::path& run) {
  std::vector<EvaluatedStep> found;
  for (const std::int64_t step : checkpoint_steps(run))
    if (const auto checkpoint = opened(checkpoint_path(run, step)))
      if (const auto loss = evaluated_loss(*checkpoint)) found.push_back({step, *loss});
  std::sort(found.begin(), found.end(), [](const EvaluatedStep& a, const EvaluatedStep& b) {
    return a.loss != b.loss ? a.loss < b.loss : a.step > b.step;
  });
  return found;
}

void prune_checkpoints(const RunOwner& owner, const Retention& retention) {
  if (retention.newest == 0) return;
  const fs::path& run = owner.run();
  const std::vector<EvaluatedStep> best = retention.best > 0 ? best_checkpoints(run) : std::vector<EvaluatedStep>();
  const std::vector<std::int64_t> steps = checkpoint_steps(run);
  std::int64_t kept = 0;
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    const fs::path directory = checkpoint_path(run, *step);
    if (kept < retention.newest)
      kept += opened(directory).has_value();
    else if (!is_among(*step, best, retention.best) && !is_for_ever(*step, retention))
      remove_or_say(owner, directory);
  }
}

void remove_checkpoints_after(const RunOwner& owner, std::int64_t step, const Retention& retention) {
  const fs::path& run = owner.run();
  const std::vector<EvaluatedStep> best = retention.best > 0 ? best_checkpoints(run) : std::vector<EvaluatedStep>();
  const std::vector<std::int64_t> steps = checkpoint_steps(run);
  for (auto later = steps.rbegin(); later != steps.rend() && *later > step; ++later) {
    const fs::path directory = checkpoint_path(run, *later);
    const bool is_best = is_among(*later, best, retention.best);
    if (is_best || is_for_ever(*later, retention))
      log_warning(std::string("the run leaves ") +
                  (is_best ? "one of its best checkpoints" : "a checkpoint that was to be kept for ever") +
                  " behind; it is kept as " + owner.set_aside(directory, "left").string());
    else
      remove_or_say(owner, directory);
  }
}

void set_aside_checkpoints_after(const RunOwner& owner, std::int64_t step) {
  for (const std::int64_t later : checkpoint_steps(owner.run())) {
    if (later <= step) continue;
    log_warning("the damaged checkpoint is kept as " +
                owner.set_aside(checkpoint_path(owner.run(), later), "damaged").string());
  }
}

std::vector<fs::path> checkpoint_directories(const fs::path& model) {
  if (!fs::exists(model)) throw Error(ErrorCode::kNotFound, "no run or checkpoint ", model.string());
  if (is_checkpoint(model)) return {model};
  std::vector<fs::path> directories;
  for (const std::int64_t step : checkpoint_steps(model)) directories.push_back(checkpoint_path(model, step));
  if (directories.empty())
    throw Error(ErrorCode::kNotFound, model.string(), " holds neither ", kManifestFile, " nor checkpoints/step-...");
  return directories;
}

namespace {

// The first sound one of these.
std::optional<Checkpoint> first_sound(const fs::path& model, const std::vector<fs::path>& directories,
                                      std::vector<std::string>& faults) {
  for (const fs::path& directory : directories) {
    const std::string name = directory.filename().string();
    try {
      const std::vector<std::string> found = check_files(directory);
      if (found.empty()) return Checkpoint::open(directory);
      const std::string more =
          found.size() > 1 ? " (and " + std::to_string(found.size() - 1) + " more)" : std::string();
      faults.push_back(name + ": " + found.front() + more);
    } catch (const Error& error) {
      if (!is_damage(error)) throw;
      faults.push_back(name + ": " + error.what());
    }
    if (fs::exists(directory))
      log_warning("passing over a checkpoint of " + model.string() + " that is not sound: " + faults.back());
  }
  return std::nullopt;
}

}  // namespace

Checkpoint open_model(const fs::path& model, const std::string& step) {
  checkpoint_directories(model);  // or there is none
  if (is_checkpoint(model)) {
    if (step != "newest")
      throw Error(ErrorCode::kUsage, "--step ", step, " chooses a checkpoint of a run; ", model.string(),
                  " is one itself");
    return Checkpoint::open(model);
  }
  if (step != "newest" && step != "best") {
    const fs::path wanted = checkpoint_path(model, step_number(step));
    if (!fs::exists(wanted)) throw Error(ErrorCode::kNotFound, "no ", wanted.string());
    return Checkpoint::open(wanted);
  }
  constexpr int kAttempts = 20;
  for (int attempt = 1;; ++attempt) {
    const std::vector<std::int64_t> steps = checkpoint_steps(model);
    std::vector<fs::path> directories;
    if (step == "best") {
      for (const EvaluatedStep& one : best_checkpoints(model)) directories.push_back(checkpoint_path(model, one.step));
    } else {
      for (auto one = steps.rbegin(); one != steps.rend(); ++one) directories.push_back(checkpoint_path(model, *one));
    }
    std::vector<std::string> faults;
    if (auto sound = first_sound(model, directories, faults)) return std::move(*sound);
    // A run that trains may have removed what was being looked at, and has newer ones then.
    if (attempt < kAttempts && checkpoint_steps(model) != steps) continue;
    if (directories.empty())
      throw Error(ErrorCode::kNotFound, "no checkpoint of ", model.string(), " was saved in a step with an evaluation");
    throw Error(ErrorCode::kCorrupt, "no sound checkpoint in ", model.string(), ": ", join(faults, "; "));
  }
}

}  // namespace trireme::models
