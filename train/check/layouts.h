#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "train/config/train_config.h"

namespace trireme::train {

/// Every layout that a run of so many ranks may ask for, each once: a key that changes nothing has its default.
std::vector<ParallelConfig> legal_layouts(int ranks, std::int64_t layers, std::int64_t micro_batches);

/// "data 2, pipeline 2 x 3 zero-bubble, shard 3 in groups of 2"
std::string layout_text(const ParallelConfig& config, int ranks);

}  // namespace trireme::train
