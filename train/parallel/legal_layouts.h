#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "train/config/train_config.h"

namespace trireme::train {

/// Every layout that a run of so many ranks may ask for, each once: a key that changes nothing has its default.
/// @param most_chunks  stages a rank at most
std::vector<ParallelConfig> legal_layouts(int ranks, std::int64_t layers, std::int64_t micro_batches,
                                          std::int64_t most_chunks);

/// Rows of the same length, of which so few that any two columns have in them every pair of values that they have in
/// all rows: the numbers of those, in the order in which each adds most. Greedy, as in Cohen et al. 1997, "The AETG
/// system".
std::vector<std::size_t> covering_pairs(const std::vector<std::vector<std::int64_t>>& rows);

/// "data 2, pipeline 2 x 3 zero-bubble, shard 3 in groups of 2"
std::string layout_text(const ParallelConfig& config, int ranks);

}  // namespace trireme::train
