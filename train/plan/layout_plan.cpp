#include "train/plan/layout_plan.h"

#include <algorithm>
#include <cmath>

#include "models/registry.h"
#include "train/loop/forward.h"
#include "train/parallel/flat_parameters.h"
#include "train/parallel/fold.h"
#include "train/parallel/shards.h"
#include "train/parallel/sites.h"
#include "train/recovery/state_plan.h"

namespace trireme::train {
namespace {

double element_size(const std::string& precision) {
  return static_cast<double>(at::elementSize(compute_type(precision)));
}
// Masters are float32 at least.
double master_size(const std::string& precision) { return std::max(element_size(precision), 4.0); }

}  // namespace

double LayoutPlan::bytes_along(Axis axis) const {
  double sum = 0;
  for (const TrafficPlan& part : traffic)
    if (part.axis == axis) sum += part.bytes;
  return sum;
}

double LayoutPlan::bytes() const {
  double sum = 0;
  for (const TrafficPlan& part : traffic) sum += part.bytes;
  return sum;
}

// Of the ranks of a stage, in elements. What differs between them is by their place in a group, and what they add up by
// their place on the data axis.
struct Planner::Sizes {
  double weights = 0;           // read here, and trained
  double frozen = 0;            // read here, and not
  double row = 0;               // of which gradients are added up here, tied ones as well
  double largest = 0;           // two layers, or what else is read at a time
  double bucket = 0, unit = 0;  // the largest
  double saved = 0;             // of which masters and moments are kept by the ranks of the stage
  double layers = 0;            // of the largest of the stages that a rank has
  std::vector<double> adds;     // of the row, by rank
  struct Place {
    double own = 0;       // masters and moments
    double sums = 0;      // of gradients
    double borrowed = 0;  // what it would keep of weights that another stage keeps
    double lent = 0;      // of its own, what another stage reads
    double tied = 0;      // of its sums, what another stage adds to its own
    double layers = 0;    // of what it keeps, that of layers
    double gathered = 0;  // of what it keeps, what all need for a pass forward and back
  };
  std::vector<Place> places;
  double most(double Place::* of) const { return std::ranges::max(places, {}, of).*of; }
  bool ends = false;
  Deal deal = Deal::kRuns;
  Groups groups;
  std::int64_t turns = 0;  // micro-batches of the first data rank, which has most
};

Planner::Planner(const TrainConfig& config, std::int64_t vocabulary)
    : config_(config),
      model_(models::build_model(config.model, vocabulary)),
      layout_(model_->parameters()),
      pass_(models::activation_bytes(*model_, {config.data.micro_batch, config.data.sequence_length,
                                               static_cast<std::int64_t>(element_size(config.precision.compute)),
                                               recompute_of(config.recompute), config.model.dropout > 0})) {}

const Planner::Stages& Planner::stages_of(int ranks, int chunks) {
  if (const auto known = stages_.find({ranks, chunks}); known != stages_.end()) return known->second;
  Stages stages;
  stages.parts = train::stages_of(config_.model, model_->vocabulary(), ranks * chunks);
  stages.placement = placement_of(layout_, config_.model, model_->vocabulary(), stages.parts, ranks);
  // Operations as Model::training_flops_per_token counts them, by where they are done.
  double head = 0;
  for (const models::Parameter& parameter : model_->parameters().all())
    if (!parameter.name.starts_with("blocks.")) head += parameter.training_flops();
  const auto layers = static_cast<double>(config_.model.layers);
  const double of_layers =
      model_->training_flops_per_token(config_.data.sequence_length) - head;  // all layers, with attention
  const double again = config_.recompute == "full" ? 4.0 / 3 : 1;
  const auto tokens = static_cast<double>(config_.data.micro_batch * config_.data.sequence_length);
  stages.work.assign(static_cast<std::size_t>(ranks), 0);
  for (std::size_t stage = 0; stage < stages.parts.size(); ++stage) {
    const models::Part& part = stages.parts[stage];
    const double share = stages.parts.size() == 1 ? layers : static_cast<double>(part.last - part.first);
    double& work = stages.work[stage % static_cast<std::size_t>(ranks)];
    work += tokens * of_layers * again * share / layers;
    if (stage + 1 == stages.parts.size()) work += tokens * head;
  }
  return stages_.emplace(std::pair(ranks, chunks), std::move(stages)).first->second;
}

// Elements that a part of the model reads and does not train: as many as of the part that is built for it.
double Planner::frozen_of(const models::Part& part) {
  if (config_.model.lora.rank == 0) return 0;
  const auto model = models::build_model(config_.model, model_->vocabulary(), part);
  return static_cast<double>(model->parameters().elements() - model->parameters().trained_elements());
}

const std::vector<Bucket>& Planner::buckets(int ranks) {
  const auto known = buckets_.find(ranks);
  return known != buckets_.end() ? known->second : buckets_.emplace(ranks, buckets_of(layout_, ranks)).first->second;
}

const Planner::Folding& Planner::folding(int ranks, Deal deal) {
  if (const auto known = foldings_.find({ranks, deal}); known != foldings_.end()) return known->second;
  Folding folding;
  folding.rounds = fold_globally(config_.micro_batches(), ranks, deal);
  for (int rank = 0; rank < ranks; ++rank) {
    const Share share = share_of(config_.micro_batches(), rank, ranks, deal);
    if (deal == Deal::kTurns) {
      folding.sent.push_back(static_cast<double>(share.count()));
      continue;
    }
    // Runs that begin elsewhere in the tree leave other nodes.
    const LocalFold fold = fold_locally(config_.micro_batches(), share.first, share.last);
    folding.sent.push_back(static_cast<double>(fold.nodes.size()));
    folding.buffers = std::max(folding.buffers, static_cast<double>(fold.buffer_count));
  }
  return foldings_.emplace(std::pair(ranks, deal), std::move(folding)).first->second;
}

const PipelineSchedule& Planner::schedule(const PipelineShape& shape) {
  const auto key = std::tuple(shape.ranks, shape.chunks, shape.micro_batches, shape.order);
  const auto known = schedules_.find(key);
  return known != schedules_.end() ? known->second : schedules_.emplace(key, pipeline_schedule(shape)).first->second;
}

Planner::Sizes Planner::sizes_of(const ParallelConfig& parallel, const MeshShape& shape, const Stages& stages,
                                 int stage) {
  const int ranks = shape.size(Axis::kData), pipeline = shape.size(Axis::kPipeline);
  Sizes sizes;
  sizes.deal = deal_of(parallel.shard, config_.micro_batches(), ranks);
  sizes.groups = {ranks, shard_group(parallel, shape)};
  sizes.turns = share_of(config_.micro_batches(), 0, ranks, sizes.deal).count();
  sizes.ends = stage + 1 == pipeline;
  for (auto s = static_cast<std::size_t>(stage); s < stages.parts.size(); s += static_cast<std::size_t>(pipeline))
    sizes.layers = std::max(sizes.layers, stages.parts.size() == 1
                                              ? static_cast<double>(config_.model.layers)
                                              : static_cast<double>(stages.parts[s].last - stages.parts[s].first));
  for (auto s = static_cast<std::size_t>(stage); s < stages.parts.size(); s += static_cast<std::size_t>(pipeline))
    sizes.frozen += frozen_of(stages.parts[s]);
  const auto is_here = [&](std::size_t i) { return stages.placement.home[i] == stage; };
  const auto is_borrowed = [&](std::size_t i) { return stages.placement.reader[i] == stage; };
  for (std::size_t i = 0; i < layout_.segments.size(); ++i) {
    const RowLayout::Segment& segment = layout_.segments[i];
    const auto size = static_cast<double>(segment.end - segment.begin);
    const bool is_tied = segment.tied_begin >= 0;
    if (is_here(i)) sizes.row += size;
    if (is_here(i) && !is_tied) sizes.saved += size;
    if (is_tied || !(is_here(i) || is_borrowed(i))) continue;
    sizes.weights += size;
    // While a layer computes, the next one is brought together.
    sizes.largest = std::max(sizes.largest, segment.is_layer() ? 2 * size : size);
  }
  sizes.adds.resize(static_cast<std::size_t>(ranks));
  sizes.places.resize(static_cast<std::size_t>(sizes.groups.size));
  for (const Bucket& bucket : buckets(ranks)) {
    const RowLayout::Segment& segment = layout_.segments[bucket.segment];
    const bool here = is_here(bucket.segment), is_tied = segment.tied_begin >= 0;
    if (!here && !is_borrowed(bucket.segment)) continue;
    if (here) sizes.bucket = std::max(sizes.bucket, static_cast<double>(bucket.end - bucket.begin));
    const bool elsewhere = is_tied && stages.placement.home[layout_.segment_at(segment.tied_begin)] != stage;
    // A table and the head are read in forward alone; a tied head reads what it is tied to.
    const double passes = segment.name.ends_with("embedding") || segment.name == "head" ? 1 : 2;
    for (const Unit& unit : bucket.units) {
      const auto size = static_cast<double>(unit.end - unit.begin);
      Sizes::Place& place = sizes.places[static_cast<std::size_t>(sizes.groups.place(unit.owner))];
      if (!here) {
        place.borrowed += size;
        continue;
      }
      sizes.unit = std::max(sizes.unit, size);
      sizes.adds[static_cast<std::size_t>(unit.owner)] += size;
      place.sums += size;
      place.gathered += passes * size;
      if (segment.is_layer()) place.layers += size;
      if (elsewhere) place.tied += size;
      if (is_tied) continue;
      place.own += size;
      if (stages.placement.reader[bucket.segment] >= 0) place.lent += size;
    }
  }
  return sizes;
}

MemoryPlan Planner::memory(const ParallelConfig& parallel, const MeshShape& shape, const Sizes& sizes,
                           std::int64_t in_flight) {
  const std::string& precision = config_.precision.compute;
  const double item = element_size(precision), master = master_size(precision);
  const int ranks = shape.size(Axis::kData);
  const bool gathers = parallel.shard == 3 && sizes.groups.size > 1, in_turns = sizes.deal == Deal::kTurns;

  MemoryPlan plan;
  plan.weights =
      ((gathers ? sizes.largest + sizes.most(&Sizes::Place::borrowed) : sizes.weights) + sizes.frozen) * item;
  // Masters are what forward reads itself, unless that is rounded or not always there.
  plan.masters = item != master || gathers ? sizes.most(&Sizes::Place::own) * master : 0;
  plan.moments = 2 * sizes.most(&Sizes::Place::own) * master;
  plan.average = config_.optimizer.ema_decay > 0 ? sizes.most(&Sizes::Place::own) * master : 0;
  const bool measures = !config_.finetune.importance.empty();
  plan.anchor = config_.finetune.penalty > 0 ? (measures ? 2 : 1) * sizes.most(&Sizes::Place::own) * master : 0;
  // From the first save on a rank keeps a copy of what it writes.
  const double saved = sizes.saved * (3 + (config_.optimizer.ema_decay > 0) + measures) * master;
  plan.saving = saved / writers_of_stage(config_.checkpoint.writers, static_cast<std::int64_t>(saved), shape);
  const Folding& fold = folding(ranks, sizes.deal);
  // In turns a rank keeps sums for its place, and partial sums of what it adds up itself.
  const double adds = *std::ranges::max_element(sizes.adds), sums = sizes.most(&Sizes::Place::sums),
               partial = adds * static_cast<double>(most_values(fold.rounds));
  plan.gradients = (in_turns ? std::max(partial, sums + partial - adds) : sizes.row * fold.buffers) * master;
  plan.activations = static_cast<double>(in_flight) * (sizes.layers * pass_.block + (sizes.ends ? 0 : pass_.passed)) +
                     (sizes.ends ? pass_.end : 0);

  // Under way at a time, about: two buckets, of which a rank holds what it receives for its units; in turns three,
  // which it holds as well, and one that fills.
  double received = 0;
  for (int peer = 1; peer < ranks; ++peer)
    received += sizes.unit * static_cast<double>(fold.rounds[0].values[static_cast<std::size_t>(peer)].size());
  const double under_way = ranks == 1 ? 0 : (in_turns ? 4 * sizes.bucket + 3 * received : 2 * received) * master;
  const double layer = pass_.replayed + pass_.backward;
  plan.passing = under_way + std::max(layer, sizes.ends ? pass_.loss : 0.0);
  const double state = plan.weights + plan.masters + plan.moments + plan.average + plan.anchor + plan.saving;
  // Sums that a rank keeps of turns come as activations go, but for those of turns before.
  plan.peak =
      in_turns && sizes.turns == 1
          ? state + under_way +
                std::max(plan.activations + std::max(layer, sizes.ends ? pass_.loss : 0.0), plan.gradients + layer)
          : state + plan.gradients + plan.activations + plan.passing;
  return plan;
}

std::vector<TrafficPlan> Planner::traffic(const ParallelConfig& parallel, const MeshShape& shape, const Stages& stages,
                                          const Sizes& sizes, int stage, int rank) {
  const std::string& precision = config_.precision.compute;
  const double item = element_size(precision), master = master_size(precision);
  const int ranks = shape.size(Axis::kData), pipeline = shape.size(Axis::kPipeline);
  const Sizes::Place& place = sizes.places[static_cast<std::size_t>(sizes.groups.place(rank))];
  const double others = sizes.groups.size - 1;
  std::vector<TrafficPlan> traffic;
  const auto add = [&](const Site& site, Axis axis, double bytes) {
    if (bytes > 0) traffic.push_back({&site, axis, bytes});
  };
  // Of its row, what others add up; once for each node that is left of a rank's run, or for each turn.
  const double nodes = folding(ranks, sizes.deal).sent[static_cast<std::size_t>(rank)];
  const double adds = sizes.adds[static_cast<std::size_t>(rank)];
  add(kGradientParts, Axis::kData, (sizes.row - adds) * nodes * master);
  add(kGradientSums, Axis::kData, adds * (ranks / sizes.groups.size - 1) * master);
  if (parallel.shard == 3 && sizes.groups.size > 1) {
    // All go along with those that have most turns. Where one stage is between others, the layer that ends a pass
    // begins the next one, back or forward, and is still there.
    const double met = stages.parts.size() == static_cast<std::size_t>(pipeline) ? (stage > 0) + !sizes.ends : 0;
    add(kGatheredWeights, Axis::kData,
        (static_cast<double>(sizes.turns) * place.gathered -
         static_cast<double>(sizes.turns - 1) * met * place.layers / sizes.layers) *
            others * item);
  } else {
    add(kNewWeights, Axis::kData, place.own * others * item);
    add(kBorrowedWeights, Axis::kData, place.borrowed * others * item);
  }
  if (pipeline == 1) return traffic;
  const double chunks = static_cast<double>(stages.parts.size()) / pipeline;
  const auto turns = static_cast<double>(share_of(config_.micro_batches(), rank, ranks, sizes.deal).count());
  const double passed =
      turns * item * static_cast<double>(config_.data.micro_batch * config_.data.sequence_length * config_.model.width);
  add(kActivations, Axis::kPipeline, passed * (chunks - (stage + 1 == pipeline ? 1 : 0)));
  add(kActivationGradients, Axis::kPipeline, passed * (chunks - (stage == 0 ? 1 : 0)));
  add(kTiedSums, Axis::kPipeline, place.tied * master);
  add(kLentWeights, Axis::kPipeline, place.lent * item);
  return traffic;
}

LayoutPlan Planner::plan(const ParallelConfig& parallel, int ranks, const Target& target) {
  TrainConfig config = config_;
  config.parallel = parallel;
  LayoutPlan plan;
  plan.shape = mesh_shape(config, ranks);
  const int pipeline = plan.shape.size(Axis::kPipeline), chunks = static_cast<int>(parallel.pipeline_chunks);
  const Stages& stages = stages_of(pipeline, chunks);
  plan.stages = stages.parts;
  std::int64_t turns = 0;
  double most_sent = 0;
  std::vector<std::int64_t> in_flight(static_cast<std::size_t>(pipeline), 1);
  for (int stage = 0; stage < pipeline; ++stage) {
    const Sizes sizes = sizes_of(parallel, plan.shape, stages, stage);
    turns = sizes.turns;
    if (stages.parts.size() > 1 && !plan.schedule) {
      plan.schedule = &schedule({pipeline, chunks, turns, pipeline_order(config)});
      in_flight = plan.schedule->most_held;
    }
    const MemoryPlan memory = this->memory(parallel, plan.shape, sizes, in_flight[static_cast<std::size_t>(stage)]);
    if (memory.peak > plan.memory.peak) plan.memory = memory;
    for (int rank = 0; rank < plan.shape.size(Axis::kData); ++rank) {
      std::vector<TrafficPlan> traffic = this->traffic(parallel, plan.shape, stages, sizes, stage, rank);
      double sent = 0;
      for (const TrafficPlan& part : traffic) sent += part.bytes;
      if (sent <= most_sent) continue;
      most_sent = sent;
      plan.traffic = std::move(traffic);
    }
  }

  if (target.peak_flops > 0 && (target.bandwidth > 0 || most_sent == 0)) {
    const double work = *std::ranges::max_element(stages.work) * static_cast<double>(turns);
    plan.step_seconds =
        work / target.peak_flops / (1 - plan.bubble()) + (most_sent > 0 ? most_sent / target.bandwidth : 0);
    const double useful =
        static_cast<double>(config_.tokens_per_step()) * model_->training_flops_per_token(config_.data.sequence_length);
    plan.mfu = useful / (*plan.step_seconds * target.peak_flops * ranks);
  }
  return plan;
}

}  // namespace trireme::train
