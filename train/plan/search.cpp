#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "core/base/error.h"
#include "core/base/text.h"
#include "train/loop/training_data.h"
#include "train/parallel/legal_layouts.h"
#include "train/plan/plan.h"

namespace trireme::train {
namespace {

struct Found {
  ParallelConfig parallel;
  LayoutPlan plan;
  bool fits = true;
};

// As flags that turn the config's layout into this one.
std::string flags_of(const ParallelConfig& parallel, const ParallelConfig& config) {
  std::ostringstream out;
  const auto add = [&](const char* key, const auto& value, const auto& usual) {
    if (value != usual) out << " --parallel." << key << '=' << value;
  };
  add("pipeline", parallel.pipeline, config.pipeline);
  add("pipeline-chunks", parallel.pipeline_chunks, config.pipeline_chunks);
  add("pipeline-order", parallel.pipeline_order, config.pipeline_order);
  add("shard", parallel.shard, config.shard);
  add("shard-group", parallel.shard_group, config.shard_group);
  return out.str().empty() ? "" : out.str().substr(1);
}

}  // namespace

std::string layout_search(const TrainConfig& config, const PlanOptions& options, bool json) {
  const data::TrainingStream data = open_training_data(config);
  Planner planner(config, vocabulary_of(config, data));
  std::vector<Found> all;
  for (const ParallelConfig& parallel :
       legal_layouts(options.ranks, config.model.layers, config.micro_batches(), kMostChunks)) {
    Found& found = all.emplace_back(Found{parallel, planner.plan(parallel, options.ranks, options.target)});
    found.fits = options.memory == 0 || found.plan.memory.peak <= options.memory;
  }
  std::ranges::stable_sort(all, [](const Found& a, const Found& b) {
    if (a.fits != b.fits) return a.fits;
    if (a.plan.step_seconds && *a.plan.step_seconds != *b.plan.step_seconds)
      return *a.plan.step_seconds < *b.plan.step_seconds;
    return a.plan.memory.peak < b.plan.memory.peak;
  });
  const auto fit = static_cast<std::size_t>(std::ranges::count(all, true, &Found::fits));
  if (fit == 0) {
    const Found& least = *std::ranges::min_element(all, {}, [](const Found& f) { return f.plan.memory.peak; });
    throw Error(ErrorCode::kUsage, "no layout of ", options.ranks, " ranks fits --memory ", bytes_text(options.memory),
                "; the least is ", bytes_text(least.plan.memory.peak), " with ",
                layout_text(least.parallel, options.ranks),
                ". Less: recompute=full, a smaller data.micro-batch, more ranks");
  }
  if (json) {
    nlohmann::json layouts = nlohmann::json::array();
    for (const Found& found : all) {
      nlohmann::json object = to_json(found.plan);
      object["layout"] = layout_text(found.parallel, options.ranks);
      object["flags"] = flags_of(found.parallel, config.parallel);
      object["fits"] = found.fits;
      layouts.push_back(object);
    }
    return nlohmann::json{{"ranks", options.ranks}, {"fit", fit}, {"layouts", layouts}}.dump() + "\n";
  }
  constexpr std::size_t kMostShown = 20;
  std::ostringstream out;
  const auto line = [&](const auto&... cells) {
    char text[400];
    std::snprintf(text, sizeof text, "%-58s %11s %11s %8s %10s %7s  %s", cells...);
    out << text << "\n";
  };
  line("layout", "memory", "traffic", "waiting", "ms a step", "MFU", "flags");
  for (std::size_t i = 0; i < std::min(fit, kMostShown); ++i) {
    const LayoutPlan& plan = all[i].plan;
    const auto rounded = [](double value) { return to_text(std::round(10 * value) / 10); };
    line(layout_text(all[i].parallel, options.ranks).c_str(), bytes_text(plan.memory.peak).c_str(),
         bytes_text(plan.bytes()).c_str(), (rounded(100 * plan.bubble()) + " %").c_str(),
         plan.step_seconds ? rounded(1000 * *plan.step_seconds).c_str() : "-",
         plan.mfu ? (rounded(100 * *plan.mfu) + " %").c_str() : "-",
         flags_of(all[i].parallel, config.parallel).c_str());
  }
  out << all.size() << " layouts of " << options.ranks << (options.ranks == 1 ? " rank" : " ranks");
  if (options.memory > 0) out << ", " << fit << " of which fit " << bytes_text(options.memory) << " a rank";
  if (fit > kMostShown) out << "; the first " << kMostShown << " are shown, --json shows all";
  if (!all.front().plan.step_seconds)
    out << "; in order of memory: for the time of a step give --peak-flops and --bandwidth";
  out << "\n";
  return out.str();
}

}  // namespace trireme::train
