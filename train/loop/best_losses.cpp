#include "train/loop/best_losses.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "core/base/text.h"
#include "models/checkpoint/run_checkpoints.h"

namespace trireme::train {

void BestLosses::read(Communicator& world, const std::filesystem::path& run) {
  std::string mine;
  if (world.rank() == 0)
    for (const models::EvaluatedStep& one : models::best_checkpoints(run)) mine += to_text(one.loss) + " ";
  std::istringstream all(world.all_gather_text(mine)[0]);
  losses_.clear();
  for (double loss = 0; all >> loss;) losses_.push_back(loss);
}

bool BestLosses::would_keep(double loss, std::int64_t keep_best) const {
  const auto better =
      std::ranges::upper_bound(losses_, loss) - losses_.begin() + (under_way_.has_value() && *under_way_ <= loss);
  return std::isfinite(loss) && better < keep_best;
}

void BestLosses::end(bool is_durable) {
  if (is_durable && under_way_) losses_.insert(std::ranges::upper_bound(losses_, *under_way_), *under_way_);
  under_way_.reset();
}

}  // namespace trireme::train
