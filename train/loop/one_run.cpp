#include "train/loop/one_run.h"

#include <algorithm>
#include <chrono>
#include <sstream>
#include <thread>
#include <vector>

#include "core/base/build_info.h"
#include "core/base/error.h"
#include "core/config/sources.h"
#include "models/checkpoint/run_checkpoints.h"

namespace trireme::train {
namespace {

void expect_same(const std::vector<std::string>& all) {
  for (std::size_t rank = 1; rank < all.size(); ++rank) {
    std::istringstream first(all[0]), other(all[rank]);
    for (std::string a, b; std::getline(first, a) && std::getline(other, b);)
      if (a != b)
        throw Error(ErrorCode::kUsage, "ranks 0 and ", rank, " differ: '", a, "' and '", b,
                    "'; all ranks need the same config, data, program and run directory");
  }
}

}  // namespace

void expect_one_run(Communicator& world, TrainConfig config, const std::filesystem::path& run,
                    const std::string& told) {
  config.data.path.clear();  // the same tokens may be mounted elsewhere
  config.eval.sets.clear();
  config.finetune.importance.clear();
  std::ostringstream mine;
  mine << to_yaml(fields_of(config)) << told << "\nprogram: " << version_text() << "\n";
  expect_same(world.all_gather_text(mine.str()));
  // A start before that still saves changes them while the ranks look, one behind the other.
  constexpr int kAttempts = 20;
  for (int attempt = 1;; ++attempt) {
    std::string steps = "checkpoints of the run:";
    for (const std::int64_t step : models::checkpoint_steps(run)) steps += " " + std::to_string(step);
    const std::vector<std::string> all = world.all_gather_text(steps);
    if (attempt == kAttempts) expect_same(all);
    if (std::ranges::all_of(all, [&](const std::string& other) { return other == all[0]; })) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

}  // namespace trireme::train
