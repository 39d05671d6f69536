#include "train/loop/one_run.h"

#include <sstream>
#include <vector>

#include "core/base/build_info.h"
#include "core/base/error.h"
#include "core/config/sources.h"
#include "models/checkpoint/run_checkpoints.h"

namespace trireme::train {

void expect_one_run(Communicator& world, TrainConfig config, const std::filesystem::path& run,
                    const std::string& told) {
  config.data.path.clear();  // the same tokens may be mounted elsewhere
  config.eval.sets.clear();
  std::ostringstream mine;
  mine << to_yaml(fields_of(config)) << told << "checkpoints of the run:";
  for (const std::int64_t step : models::checkpoint_steps(run)) mine << " " << step;
  mine << "\nprogram: " << version_text() << "\n";
  const std::vector<std::string> all = world.all_gather_text(mine.str());
  for (std::size_t rank = 1; rank < all.size(); ++rank) {
    std::istringstream first(all[0]), other(all[rank]);
    for (std::string a, b; std::getline(first, a) && std::getline(other, b);)
      if (a != b)
        throw Error(ErrorCode::kUsage, "ranks 0 and ", rank, " differ: '", a, "' and '", b,
                    "'; all ranks need the same config, data, program and run directory");
  }
}

}  // namespace trireme::train
