#include "train/loop/engine.h"

#include <algorithm>

#include "core/base/trace.h"
#include "models/load.h"
#include "train/loop/pretrained.h"
#include "train/optim/gradient_norm.h"
#include "train/parallel/pipeline_schedule.h"

namespace trireme::train {

Engine::Engine(Communicator& world, const TrainConfig& config, std::int64_t vocabulary)
    : config_(config),
      mesh_(world, mesh_shape(config, world.size())),
      deal_(deal_of(config.parallel.shard, config.micro_batches(), mesh_.shape().size(Axis::kData))),
      stages_(mesh_, config, vocabulary),
      parameters_(stages_.layout(), stages_.parameters(), stages_.placement(), mesh_.along(Axis::kPipeline),
                  compute_type(config.precision.compute),
                  {&mesh_.along(Axis::kData), shard_group(config.parallel, mesh_.shape()), config.parallel.shard >= 3}),
      units_(units_of(stages_.layout(), stages_.placement(), mesh_.shape())),
      reducer_(mesh_.along(Axis::kData), parameters_, config.micro_batches(), parameters_.groups().size, deal_),
      schedule_(schedule()),
      optimizer_(config.optimizer, parameters_) {
  if (parameters_.shares_weights()) stages_.tell(parameters_);
  if (config.finetune.penalty > 0)
    anchor_.emplace(world, parameters_, units_, config.finetune.penalty, !config.finetune.importance.empty());
}

std::vector<Action> Engine::schedule() const {
  const Communicator& pipeline = mesh_.along(Axis::kPipeline);
  // Where weights are shared out, rank 0 has the most turns, and all go along with them.
  const std::int64_t turns = parameters_.shares_weights()
                                 ? share_of(config_.micro_batches(), 0, mesh_.shape().size(Axis::kData), deal_).count()
                                 : reducer_.share().count();
  return pipeline_schedule(
             {pipeline.size(), static_cast<int>(config_.parallel.pipeline_chunks), turns, pipeline_order(config_)})
      .actions[static_cast<std::size_t>(pipeline.rank())];
}

void Engine::initialise(const std::shared_ptr<const models::ModelSource>& source) {
  const bool has_all = source && (config_.model.lora.rank == 0 || models::has_adapters(*source));
  const auto seed = static_cast<std::uint64_t>(config_.seed);
  if (has_all)
    parameters_.initialise(*source, seed, new_parameters(*source, config_.model));
  else
    parameters_.initialise(seed);
  if (source) take_frozen(source);
  parameters_.publish();
}

void Engine::take_frozen(const std::shared_ptr<const models::ModelSource>& source) {
  for (models::ParameterList* list : stages_.parameters())
    models::load_frozen(*list, source, parameters_.compute_type());
}

std::vector<LeafReport> Engine::accumulate(std::int64_t step, const Stages::Source& source,
                                           const std::function<bool()>& give_up, bool drops) {
  std::vector<LeafReport> leaves(static_cast<std::size_t>(share().count()));
  const auto read = [&](std::int64_t turn) {
    const MicroBatch batch = source(turn);
    leaves[static_cast<std::size_t>(turn)].samples = batch->samples_hash;
    return batch;
  };
  const auto pass = [&](std::int64_t turn) {
    models::ForwardPass pass = training_pass(config_, step, share().first + turn * share().stride);
    if (!drops) pass.dropout.reset();
    return pass;
  };
  reducer_.begin_step();
  const std::vector<double> losses =
      stages_.train(schedule_, share().count(), {config_.data.micro_batch, config_.data.sequence_length}, read, pass,
                    give_up, reducer_);
  for (std::size_t i = 0; i < losses.size(); ++i) leaves[i].loss = losses[i];
  reducer_.finish();
  return leaves;
}

std::vector<LeafReport> Engine::exchange(StepReport& report, std::vector<LeafReport> leaves) const {
  return train::exchange(mesh_.world(), mesh_.shape(), config_.micro_batches(), deal_, report, std::move(leaves));
}

void Engine::measure_importance() {
  anchor_->measure([this](std::int64_t begin) { return reducer_.sum(begin); });
}

double Engine::add_penalty() {
  if (!anchor_) return 0;
  const TraceSpan span(kTraceCompute, "penalty");
  return anchor_->add_gradients([this](std::int64_t begin) { return reducer_.sum(begin); });
}

double Engine::gradient_norm() const {
  const TraceSpan span(kTraceCompute, "gradient norm");
  return train::gradient_norm(mesh_.world(), units_, parameters_.master_type(),
                              [this](std::int64_t begin) { return reducer_.sum(begin); });
}

void Engine::update(std::int64_t step, double learning_rate, double norm) {
  const TraceSpan span(kTraceCompute, "update");
  const double clip = config_.optimizer.clip_norm;
  const double scale = clip > 0 ? std::min(1.0, clip / (norm + 1e-6)) : 1;
  optimizer_.update(step, learning_rate, scale, [this](std::int64_t begin) { return reducer_.sum(begin); });
}

}  // namespace trireme::train
