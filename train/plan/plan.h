#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "train/config/train_config.h"
#include "train/plan/layout_plan.h"

namespace trireme::train {

/// What a plan is made for.
struct PlanOptions {
  int ranks = 1;
  Target target;
  double memory = 0;  ///< bytes that a rank has; 0: any. Of layout_search() alone
};

nlohmann::json to_json(const LayoutPlan& plan);

/// What a run of this config would be, for people or as JSON: sizes, shares of the ranks, memory, traffic, time.
/// @throws Error kUsage  for a layout that cannot be
std::string training_plan(const TrainConfig& config, const PlanOptions& options, bool json);

/// All layouts that so many ranks can have, those that fit the memory first, the quickest first; or, where the target
/// is not known, those that need least memory. For people the first of them, as JSON all.
std::string layout_search(const TrainConfig& config, const PlanOptions& options, bool json);

}  // namespace trireme::train
