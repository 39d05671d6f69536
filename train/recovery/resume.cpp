#include "train/recovery/resume.h"

#include <algorithm>
#include <chrono>
#include <sstream>
#include <thread>
#include <utility>

#include "core/base/error.h"
#include "core/base/log.h"
#include "models/checkpoint/verify.h"

namespace trireme::train {
namespace {

constexpr char kSound = '=', kDamaged = '!';

// What all ranks together found of a checkpoint.
struct Restored {
  std::string fault;       // empty: it was restored
  bool is_moving = false;  // another start changes it: ranks have seen different ones
};

Restored restore_together(Communicator& world, const std::filesystem::path& path,
                          const std::function<void(const models::Checkpoint&)>& restore) {
  std::string mine;
  try {
    const models::Checkpoint checkpoint = models::Checkpoint::open(path);
    mine = kSound + checkpoint.identity();
    // First what is read by nobody: damage there comes from a disk that is not to be trusted either.
    if (const auto faults = checkpoint.faults_outside_tensors(world.rank(), world.size()); !faults.empty())
      mine = kDamaged + faults.front();
    else
      restore(checkpoint);
  } catch (const Error& error) {
    // Not for a file that may not be opened, or too many that are: nothing is wrong with the checkpoint then.
    if (!models::is_damage(error)) throw;
    mine = kDamaged + std::string(error.what());
  }
  // A rank whose disk shows damage that the others do not see takes them all back with it.
  const std::vector<std::string> all = world.all_gather_text(mine);
  for (const std::string& text : all)
    if (text[0] == kDamaged) return {text.substr(1)};
  for (const std::string& text : all)
    if (text != all[0]) return {path.string() + " is not the same for all ranks", true};
  return {};
}

// As rank 0 lists them.
std::vector<std::int64_t> steps_of(Communicator& world, const std::filesystem::path& run) {
  std::string mine;
  if (world.rank() == 0)
    for (const std::int64_t step : models::checkpoint_steps(run)) mine += std::to_string(step) + " ";
  std::istringstream all(world.all_gather_text(mine)[0]);
  std::vector<std::int64_t> steps;
  for (std::int64_t step = 0; all >> step;) steps.push_back(step);
  return steps;
}

// Nothing where checkpoints have come or gone meanwhile: then it is to be looked for again.
std::optional<ResumePoint> try_to_restore(Communicator& world, const std::filesystem::path& run,
                                          const std::string& resume, bool fall_back,
                                          const std::function<void(const models::Checkpoint&)>& restore) {
  ResumePoint point;
  point.seen = steps_of(world, run);
  const std::vector<std::int64_t>& steps = point.seen;
  if (resume == "never" && !steps.empty())
    throw Error(ErrorCode::kUsage, "--resume=never, but ", run.string(), " has checkpoints up to step ", steps.back(),
                "; choose another --run or remove it");
  std::vector<std::int64_t> wanted(steps.rbegin(), steps.rend());
  if (resume != "auto" && resume != "never") {
    wanted = {std::stoll(resume)};
    if (std::find(steps.begin(), steps.end(), wanted[0]) == steps.end())
      throw Error(ErrorCode::kUsage, "--resume=", resume, ": ", run.string(), " has no checkpoint of that step");
    point.by_choice = true;
  }
  for (const std::int64_t step : wanted) {
    const Restored found = restore_together(world, models::checkpoint_path(run, step), restore);
    if (found.fault.empty()) {
      point.step = step;
      return point;
    }
    if (found.is_moving || steps_of(world, run) != steps) return std::nullopt;
    if (point.by_choice) throw Error(ErrorCode::kCorrupt, "--resume=", resume, ": ", found.fault);
    if (!fall_back)
      throw Error(ErrorCode::kCorrupt, "checkpoint of step ", step, " is damaged: ", found.fault,
                  "; recovery.on-damage=fall-back goes on from the newest good one");
    if (world.rank() == 0)
      log_warning("checkpoint of step " + std::to_string(step) + " is damaged and passed over: " + found.fault);
  }
  if (!steps.empty())
    throw Error(ErrorCode::kCorrupt, "every checkpoint of ", run.string(),
                " is damaged; remove its checkpoints to start anew");
  return point;
}

}  // namespace

ResumePoint restore_run(Communicator& world, const std::filesystem::path& run, const std::string& resume,
                        bool fall_back, const std::function<void(const models::Checkpoint&)>& restore) {
  constexpr int kAttempts = 20;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (auto point = try_to_restore(world, run, resume, fall_back, restore)) return std::move(*point);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  throw Error(ErrorCode::kIo, "the checkpoints of ", run.string(),
              " change all the time: another start saves there; end it first");
}

void settle(const models::RunOwner& owner, const ResumePoint& point, const models::Retention& retention) {
  if (!point.step) return;
  if (point.by_choice)
    models::remove_checkpoints_after(owner, *point.step, retention);
  else
    models::set_aside_checkpoints_after(owner, *point.step);
}

}  // namespace trireme::train
