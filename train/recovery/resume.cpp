#include "train/recovery/resume.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/log.h"

namespace trireme::train {

bool restore_run(Communicator& world, const std::filesystem::path& run, const std::string& resume,
                 std::int64_t keep_best, const std::function<void(const models::Checkpoint&)>& restore) {
  const bool is_first = world.rank() == 0;
  const std::vector<std::int64_t> steps = models::checkpoint_steps(run);
  if (resume == "never" && !steps.empty())
    throw Error(ErrorCode::kUsage, "--resume=never, but ", run.string(), " has checkpoints up to step ", steps.back(),
                "; choose another --run or remove it");
  if (resume != "auto" && resume != "never") {
    const std::int64_t wanted = std::stoll(resume);
    if (std::find(steps.begin(), steps.end(), wanted) == steps.end())
      throw Error(ErrorCode::kUsage, "--resume=", resume, ": ", run.string(), " has no checkpoint of that step");
    restore(models::Checkpoint::open(models::checkpoint_path(run, wanted)));
    world.barrier();  // every rank has it: the later ones are of a timeline that the run leaves here
    if (is_first) models::remove_checkpoints_after(run, wanted, keep_best);
    return true;
  }
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    const auto path = models::checkpoint_path(run, *step);
    std::string damage;
    // Every byte, once: what is read below leaves out the bytes between tensors, and a checkpoint with any damage in it
    // comes from a disk that is not to be trusted.
    if (is_first)
      if (const auto faults = models::check_files(path); !faults.empty()) damage = faults.front();
    try {
      if (damage.empty()) restore(models::Checkpoint::open(path));
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kCorrupt && error.code() != ErrorCode::kNotFound && error.code() != ErrorCode::kIo)
        throw;
      damage = error.what();
    }
    // A rank whose disk shows damage that the others do not see takes them all back with it.
    const std::vector<std::string> all = world.all_gather_text(damage);
    const auto first = std::find_if(all.begin(), all.end(), [](const std::string& text) { return !text.empty(); });
    if (first == all.end()) {
      if (is_first && *step != steps.back()) models::set_aside_checkpoints_after(run, *step);
      return true;
    }
    if (is_first) log_warning("checkpoint of step " + std::to_string(*step) + " is damaged and passed over: " + *first);
  }
  if (!steps.empty())
    throw Error(ErrorCode::kCorrupt, "every checkpoint of ", run.string(),
                " is damaged; remove its checkpoints to start anew");
  return false;
}

}  // namespace trireme::train
