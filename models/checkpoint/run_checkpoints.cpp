#include <algorithm>
#include <cstdio>
#include <ctime>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "models/checkpoint/checkpoint.h"
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

bool opens(const fs::path& directory) {
  try {
    Checkpoint::open(directory);
    return true;
  } catch (const Error&) {
    return false;
  }
}

// Under another name first: a crash in the middle must not leave half a checkpoint under the name of a whole one.
void remove_checkpoint(const fs::path& directory) {
  fs::path aside = directory;
  aside += ".old-pruned";
  std::error_code error;
  fs::remove_all(aside, error);
  if (!error) fs::rename(directory, aside, error);
  if (!error) fs::remove_all(aside, error);
  if (error) log_warning("cannot remove " + directory.string() + ": " + error.message());
}

bool is_left_behind(const std::string& name) {
  for (const char* mark : {".tmp-", ".old-"})
    if (const auto at = name.find(mark); at != std::string::npos && step_of(name.substr(0, at))) return true;
  return false;
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

void prune_checkpoints(const fs::path& run, std::int64_t keep) {
  if (keep > 0) {
    const std::vector<std::int64_t> steps = checkpoint_steps(run);
    std::int64_t kept = 0;
    for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
      const fs::path directory = checkpoint_path(run, *step);
      if (kept == keep)
        remove_checkpoint(directory);
      else if (opens(directory))
        ++kept;
    }
  }
  std::error_code error;
  for (fs::directory_iterator entry(checkpoints_of(run), error), end; !error && entry != end; entry.increment(error)) {
    if (!is_left_behind(entry->path().filename().string())) continue;
    std::error_code failed;
    fs::remove_all(entry->path(), failed);
    if (failed) log_warning("cannot remove " + entry->path().string() + ": " + failed.message());
  }
}

void remove_checkpoints_after(const fs::path& run, std::int64_t step) {
  const std::vector<std::int64_t> steps = checkpoint_steps(run);
  for (auto later = steps.rbegin(); later != steps.rend() && *later > step; ++later)
    remove_checkpoint(checkpoint_path(run, *later));
}

void set_aside_checkpoints_after(const fs::path& run, std::int64_t step) {
  for (const std::int64_t later : checkpoint_steps(run)) {
    if (later <= step) continue;
    const fs::path directory = checkpoint_path(run, later);
    fs::path aside = directory;
    aside += ".damaged-" + std::to_string(std::time(nullptr));
    std::error_code error;
    fs::rename(directory, aside, error);
    if (error) throw Error(ErrorCode::kIo, "cannot set the damaged ", directory.string(), " aside: ", error.message());
    log_warning("the damaged checkpoint is kept as " + aside.string());
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

std::vector<std::string> check_files(const fs::path& checkpoint) {
  try {
    const InputDirectory files(checkpoint);
    return file_faults(files, read_manifest(files));
  } catch (const Error& error) {
    return {error.what()};
  }
}

Checkpoint open_model(const fs::path& model) {
  const std::vector<fs::path> directories = checkpoint_directories(model);
  if (is_checkpoint(model)) return Checkpoint::open(model);
  std::vector<std::string> faults;
  for (auto directory = directories.rbegin(); directory != directories.rend(); ++directory) {
    const std::string name = directory->filename().string();
    try {
      const std::vector<std::string> found = check_files(*directory);
      if (found.empty()) return Checkpoint::open(*directory);
      faults.push_back(name + ": " + join(found, "; "));
    } catch (const Error& error) {
      faults.push_back(name + ": " + error.what());
    }
    log_warning("passing over a checkpoint of " + model.string() + " that is not sound: " + faults.back());
  }
  throw Error(ErrorCode::kCorrupt, "no sound checkpoint in ", model.string(), ": ", join(faults, "; "));
}

}  // namespace trireme::models
