#include "train/parallel/legal_layouts.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace trireme::train {

std::vector<ParallelConfig> legal_layouts(int ranks, std::int64_t layers, std::int64_t micro_batches,
                                          std::int64_t most_chunks) {
  std::vector<ParallelConfig> layouts;
  for (std::int64_t pipeline = 1; pipeline <= std::min<std::int64_t>(ranks, layers); ++pipeline) {
    if (ranks % pipeline != 0) continue;
    const std::int64_t data = ranks / pipeline;
    if (pipeline > 1 && micro_batches / data < pipeline) continue;
    ParallelConfig layout;
    layout.pipeline = pipeline;
    for (layout.pipeline_chunks = 1;
         layout.pipeline_chunks <= (pipeline > 1 ? most_chunks : 1) && pipeline * layout.pipeline_chunks <= layers;
         ++layout.pipeline_chunks)
      for (const char* order : {"1f1b", "zero-bubble"}) {
        if (pipeline == 1 && order != ParallelConfig{}.pipeline_order) continue;
        layout.pipeline_order = order;
        for (layout.shard = 0; layout.shard <= (data > 1 ? 3 : 0); ++layout.shard)
          for (layout.shard_group = 0; layout.shard_group < data; ++layout.shard_group) {
            const bool whole = layout.shard_group == 0;
            // Groups of one share nothing out.
            const bool part = layout.shard > 0 && layout.shard_group > 1 && data % layout.shard_group == 0;
            if (whole || part) layouts.push_back(layout);
          }
        layout.shard_group = 0;
      }
  }
  return layouts;
}

std::vector<std::size_t> covering_pairs(const std::vector<std::vector<std::int64_t>>& rows) {
  using Pair = std::tuple<std::size_t, std::int64_t, std::size_t, std::int64_t>;
  const auto pairs_of = [](const std::vector<std::int64_t>& row) {
    std::vector<Pair> pairs;
    for (std::size_t a = 0; a < row.size(); ++a)
      for (std::size_t b = 0; b < a; ++b) pairs.emplace_back(a, row[a], b, row[b]);
    return pairs;
  };
  std::set<Pair> left;
  for (const auto& row : rows)
    for (const Pair& pair : pairs_of(row)) left.insert(pair);
  std::vector<std::size_t> chosen;
  while (!left.empty()) {
    std::size_t best = 0;
    std::ptrdiff_t most = 0;
    for (std::size_t i = 0; i < rows.size(); ++i)
      if (const std::ptrdiff_t adds =
              std::ranges::count_if(pairs_of(rows[i]), [&](const Pair& pair) { return left.contains(pair); });
          adds > most) {
        most = adds;
        best = i;
      }
    for (const Pair& pair : pairs_of(rows[best])) left.erase(pair);
    chosen.push_back(best);
  }
  return chosen;
}

std::string layout_text(const ParallelConfig& config, int ranks) {
  std::string text = "data " + std::to_string(ranks / config.pipeline);
  if (config.pipeline > 1) text += ", pipeline " + std::to_string(config.pipeline);
  if (config.pipeline_chunks > 1) text += " x " + std::to_string(config.pipeline_chunks);
  if (config.pipeline > 1) text += " " + config.pipeline_order;
  if (ranks > config.pipeline) text += ", shard " + std::to_string(config.shard);
  if (config.shard_group > 0) text += " in groups of " + std::to_string(config.shard_group);
  return text;
}

}  // namespace trireme::train
