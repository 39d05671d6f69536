#include "train/plan/plan.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "core/base/error.h"
#include "core/base/text.h"
#include "train/loop/training_data.h"
#include "train/parallel/fold.h"
#include "train/parallel/legal_layouts.h"

namespace trireme::train {
namespace {

std::string percent(double share) { return to_text(std::round(1000 * share) / 10) + " %"; }

// A line a corpus: what it holds and how often the run reads it.
std::string corpora_text(const data::TrainingStream& data, std::int64_t samples) {
  const std::vector<std::int64_t> counts = data.counts(samples);
  std::ostringstream out;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const auto& part = data.parts()[i];
    const double epochs = static_cast<double>(counts[i]) / static_cast<double>(part.order.windows_per_epoch());
    out << (i == 0 ? "data         " : "             ") << part.directory.string() << ": weight " << to_text(part.share)
        << ", " << count_text(static_cast<double>(part.corpus.tokens())) << " tokens, " << part.corpus.documents()
        << " documents, " << part.order.windows_per_epoch() << " sequences an epoch, "
        << to_text(std::round(100 * epochs) / 100) << " epochs\n";
  }
  return out.str();
}

// The order in which the stages of the first data rank work, for as many micro-batches as show its pattern.
std::string pipeline_text(const TrainConfig& config, const LayoutPlan& plan) {
  std::ostringstream out;
  out << "pipeline     " << plan.stages.size() << " stages of layers";
  for (const models::Part& stage : plan.stages) out << " " << stage.last - stage.first;
  out << ", " << config.parallel.pipeline_order << "; waiting " << percent(plan.bubble())
      << " of the time if a forward takes as long as half a backward; micro-batches in flight "
      << *std::ranges::max_element(plan.schedule->most_held) << "\n"
      << drawn(*plan.schedule, 120);
  return out.str();
}

std::string memory_text(const MemoryPlan& memory) {
  std::ostringstream out;
  out << "memory       a rank at most " << bytes_text(memory.peak) << " beside the program itself: weights "
      << bytes_text(memory.weights + memory.masters) << ", moments " << bytes_text(memory.moments);
  if (memory.average > 0) out << ", average " << bytes_text(memory.average);
  if (memory.anchor > 0) out << ", start and importance " << bytes_text(memory.anchor);
  out << ", gradients " << bytes_text(memory.gradients) << ", activations " << bytes_text(memory.activations)
      << ", copy for saving " << bytes_text(memory.saving) << ", passing " << bytes_text(memory.passing) << "\n";
  return out.str();
}

std::string traffic_text(const LayoutPlan& plan) {
  std::ostringstream out;
  const char* before = "traffic      a rank sends at most a step: ";
  for (const Axis axis : {Axis::kData, Axis::kPipeline}) {
    const double bytes = plan.bytes_along(axis);
    if (bytes == 0) continue;
    out << before << bytes_text(bytes) << " along " << axis_name(axis) << " (";
    const char* between = "";
    for (const TrafficPlan& part : plan.traffic)
      if (part.axis == axis) out << std::exchange(between, ", ") << part.site->name() << ' ' << bytes_text(part.bytes);
    out << ')';
    before = ", ";
  }
  return out.str().empty() ? "" : out.str() + "\n";
}

}  // namespace

nlohmann::json to_json(const LayoutPlan& plan) {
  nlohmann::json traffic = nlohmann::json::object();
  for (const TrafficPlan& part : plan.traffic)
    traffic[part.site->name()] = {{"axis", axis_name(part.axis)}, {"bytes", part.bytes}};
  nlohmann::json layers = nlohmann::json::array();
  for (const models::Part& stage : plan.stages)
    if (plan.stages.size() > 1) layers.push_back(stage.last - stage.first);
  const MemoryPlan& m = plan.memory;
  nlohmann::json object = {{"data", plan.shape.size(Axis::kData)},
                           {"pipeline", plan.shape.size(Axis::kPipeline)},
                           {"layers", layers},
                           {"bubble", plan.bubble()},
                           {"traffic", traffic},
                           {"memory",
                            {{"peak", m.peak},
                             {"weights", m.weights},
                             {"masters", m.masters},
                             {"moments", m.moments},
                             {"average", m.average},
                             {"anchor", m.anchor},
                             {"gradients", m.gradients},
                             {"activations", m.activations},
                             {"saving", m.saving},
                             {"passing", m.passing}}}};
  if (plan.step_seconds) object["step_seconds"] = *plan.step_seconds;
  if (plan.mfu) object["mfu"] = *plan.mfu;
  return object;
}

std::string training_plan(const TrainConfig& config, const PlanOptions& options, bool json) {
  const data::TrainingStream data = open_training_data(config);
  augmentation_of(config, data);  // refuses what the run would refuse
  Planner planner(config, vocabulary_of(config, data));
  const LayoutPlan plan = planner.plan(config.parallel, options.ranks, options.target);
  const models::Model& model = planner.model();
  const double tokens = static_cast<double>(config.tokens_per_step()) * static_cast<double>(config.steps);
  const double flops = model.training_flops_per_token(config.data.sequence_length);
  std::int64_t samples = 0;
  if (__builtin_mul_overflow(config.steps, config.data.global_batch, &samples))
    throw Error(ErrorCode::kUsage, "steps times data.global-batch must be below 2^63, got ", config.steps, " and ",
                config.data.global_batch);
  if (json) {
    nlohmann::json object = to_json(plan);
    object["ranks"] = options.ranks;
    object["threads"] = at::get_num_threads();
    object["layout"] = layout_text(config.parallel, options.ranks);
    object["parameters"] = model.parameters().elements();
    object["tokens_per_step"] = config.tokens_per_step();
    object["flops_per_token"] = flops;
    return object.dump() + "\n";
  }
  const int data_ranks = plan.shape.size(Axis::kData);
  const Deal deal = deal_of(config.parallel.shard, config.micro_batches(), data_ranks);
  std::ostringstream out;
  out << "model        " << config.model.family << ", "
      << count_text(static_cast<double>(model.parameters().elements())) << " parameters, vocabulary "
      << model.vocabulary() << "\n"
      << corpora_text(data, samples) << "step         " << config.tokens_per_step() << " tokens in "
      << config.micro_batches() << " micro-batches of " << config.data.micro_batch << " x "
      << config.data.sequence_length << "\n"
      << "run          " << config.steps << " steps, " << count_text(tokens) << " tokens, "
      << count_text(tokens * flops) << " operations\n"
      << "ranks        " << options.ranks << " x " << at::get_num_threads()
      << " threads: " << layout_text(config.parallel, options.ranks) << "; micro-batches a data rank:";
  constexpr int kMostShown = 16;
  for (int rank = 0; rank < std::min(data_ranks, kMostShown); ++rank)
    out << " " << share_of(config.micro_batches(), rank, data_ranks, deal).count();
  if (data_ranks > kMostShown)
    out << " ... " << share_of(config.micro_batches(), data_ranks - 1, data_ranks, deal).count();
  out << "\n";
  if (plan.schedule) out << pipeline_text(config, plan);
  out << memory_text(plan.memory) << traffic_text(plan);
  if (plan.step_seconds) {
    const double rate = static_cast<double>(config.tokens_per_step()) / *plan.step_seconds;
    out << "time         " << to_text(std::round(*plan.step_seconds * 1e5) / 100) << " ms a step, " << count_text(rate)
        << " tokens/s, MFU " << percent(*plan.mfu) << "; "
        << duration_text(*plan.step_seconds * static_cast<double>(config.steps)) << " for all steps\n";
  }
  return out.str();
}

}  // namespace trireme::train
