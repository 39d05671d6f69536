#include "train/loop/plan.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "core/base/error.h"
#include "core/base/text.h"
#include "models/registry.h"
#include "train/loop/training_data.h"
#include "train/parallel/fold.h"
#include "train/parallel/mesh.h"
#include "train/parallel/pipeline_schedule.h"
#include "train/parallel/placement.h"
#include "train/parallel/shards.h"

namespace trireme::train {
namespace {

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

// What the ranks hold beside activations: of each kind the most that any of them does, in elements.
struct Held {
  double weights = 0;    ///< that forward reads; where they are shared out, of the parts that are there at a time
  double own = 0;        ///< of which the rank keeps masters and moments
  double gradients = 0;  ///< as partial sums, or sums
};

Held most_held(const TrainConfig& config, const MeshShape& shape, const RowLayout& layout, const Placement& placement) {
  const int ranks = shape.size(Axis::kData);
  const std::int64_t shard = config.parallel.shard, micro_batches = config.micro_batches();
  const Deal deal = deal_of(shard, micro_batches, ranks);
  const Groups groups{ranks, shard_group(config.parallel, shape)};
  const double values = static_cast<double>(most_values(fold_globally(micro_batches, ranks, deal)));
  Held most;
  for (int stage = 0; stage < shape.size(Axis::kPipeline); ++stage) {
    double weights = 0, row = 0, gradients = 0, largest = 0;
    for (std::size_t i = 0; i < layout.segments.size(); ++i) {
      const auto size = static_cast<double>(layout.segments[i].end - layout.segments[i].begin);
      const bool here = placement.home[i] == stage, tied = layout.segments[i].tied_begin >= 0;
      if (here) gradients += size;
      if (here && !tied) row += size;
      if (tied || !(here || placement.reader[i] == stage)) continue;
      weights += size;
      // While a layer computes, the next one is brought together.
      largest = std::max(largest, layout.segments[i].is_layer() ? 2 * size : size);
    }
    if (shard == 3 && groups.size > 1) weights = largest;
    most.weights = std::max(most.weights, weights);
    for (int rank = 0; rank < ranks; ++rank) {
      double own = 0;
      for (const Stretch& stretch : stretches_of(layout, placement.at(stage), rank, groups))
        own += static_cast<double>(stretch.count);
      most.own = std::max(most.own, own);
      const Share share = share_of(micro_batches, rank, ranks, Deal::kRuns);
      most.gradients = std::max(
          most.gradients,
          deal == Deal::kTurns
              ? own * gradients / row * values
              : gradients * static_cast<double>(fold_locally(micro_batches, share.first, share.last).buffer_count));
    }
  }
  return most;
}

// The order in which the stages of the first data rank work, for as many micro-batches as show its pattern.
std::string pipeline_text(const TrainConfig& config, const MeshShape& shape, const std::vector<models::Part>& stages) {
  const PipelineShape pipeline = {shape.size(Axis::kPipeline), static_cast<int>(config.parallel.pipeline_chunks),
                                  share_of(config.micro_batches(), 0, shape.size(Axis::kData), Deal::kRuns).count(),
                                  pipeline_order(config)};
  std::ostringstream out;
  const PipelineSchedule schedule = pipeline_schedule(pipeline);
  out << "pipeline     " << stages.size() << " stages of layers";
  for (const models::Part& stage : stages) out << " " << stage.last - stage.first;
  out << ", " << config.parallel.pipeline_order << "; waiting " << to_text(std::round(1000 * schedule.bubble) / 10)
      << " % of the time if a forward takes as long as half a backward; micro-batches in flight "
      << *std::ranges::max_element(schedule.most_held) << "\n"
      << drawn(schedule, 120);
  return out.str();
}

}  // namespace

std::string training_plan(Communicator& world, const TrainConfig& config) {
  const data::TrainingStream data = open_training_data(config);
  augmentation_of(config, data);  // refuses what the run would refuse
  const auto model = models::build_model(config.model, data.vocabulary_size());
  const double size = static_cast<double>(model->parameters().elements());
  const double master = config.precision.compute == "fp64" ? 8 : 4,
               rounded = config.precision.compute == "bf16" ? 2 : 0;
  const MeshShape shape = mesh_shape(config, world.size());
  const int data_ranks = shape.size(Axis::kData);
  const std::int64_t micro_batches = config.micro_batches();
  const Deal deal = deal_of(config.parallel.shard, micro_batches, data_ranks);
  const RowLayout layout(model->parameters());
  const auto stages = stages_of(config.model, data.vocabulary_size(),
                                static_cast<int>(config.parallel.pipeline * config.parallel.pipeline_chunks));
  const Held held =
      most_held(config, shape, layout,
                placement_of(layout, config.model, data.vocabulary_size(), stages, shape.size(Axis::kPipeline)));
  const double tokens = static_cast<double>(config.tokens_per_step()) * static_cast<double>(config.steps);
  std::int64_t samples = 0;
  if (__builtin_mul_overflow(config.steps, config.data.global_batch, &samples))
    throw Error(ErrorCode::kUsage, "steps times data.global-batch must be below 2^63, got ", config.steps, " and ",
                config.data.global_batch);
  std::ostringstream out;
  out << "model        " << config.model.family << ", " << count_text(size) << " parameters, vocabulary "
      << model->vocabulary() << "\n"
      << corpora_text(data, samples) << "step         " << config.tokens_per_step() << " tokens in "
      << config.micro_batches() << " micro-batches of " << config.data.micro_batch << " x "
      << config.data.sequence_length << "\n"
      << "run          " << config.steps << " steps, " << count_text(tokens) << " tokens, "
      << count_text(tokens * model->training_flops_per_token(config.data.sequence_length)) << " operations\n"
      << "ranks        " << world.size() << " x " << at::get_num_threads() << " threads: data " << data_ranks
      << ", pipeline " << shape.size(Axis::kPipeline) << "; micro-batches a data rank:";
  for (int rank = 0; rank < data_ranks; ++rank) {
    out << " " << share_of(micro_batches, rank, data_ranks, deal).count();
  }
  out << "\n";
  if (stages.size() > 1) out << pipeline_text(config, shape, stages);
  const double average = config.optimizer.ema_decay > 0 ? held.own * master : 0;
  // Masters are what forward reads itself, unless that is rounded or not always there.
  const bool both = rounded > 0 || (config.parallel.shard == 3 && shard_group(config.parallel, shape) > 1);
  out << "memory       a rank at most, activations apart: weights "
      << bytes_text(held.weights * (rounded > 0 ? rounded : master) + (both ? held.own * master : 0)) << ", moments "
      << bytes_text(2 * held.own * master) << (average > 0 ? ", average " + bytes_text(average) : "") << ", gradients "
      << bytes_text(held.gradients * master) << "\n";
  return out.str();
}

}  // namespace trireme::train
