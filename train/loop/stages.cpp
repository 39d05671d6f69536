#include "train/loop/stages.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <map>

#include "core/base/error.h"
#include "models/generate/kv_cache.h"
#include "models/registry.h"
#include "models/weight_access.h"
#include "train/parallel/sites.h"

namespace trireme::train {
namespace {

MeshShape data_only(int ranks) {
  MeshShape shape;
  shape.sizes[static_cast<std::size_t>(Axis::kData)] = ranks;
  return shape;
}

void tell_borders(const MicroBatch& batch, models::ForwardPass& pass) {
  pass.lengths = lengths_of(batch);
  pass.documents = documents_of(batch);
}

}  // namespace

Stages::Stages(const Mesh& mesh, const TrainConfig& config, std::int64_t vocabulary)
    : world_(mesh.world()),
      rule_{config.preference.beta, config.preference.label_smoothing},
      shape_(mesh.shape()),
      axis_(mesh.along(Axis::kPipeline)),
      data_(mesh.along(Axis::kData)),
      owned_(models::build_model(config.model, vocabulary)),
      whole_(owned_.get()),
      layout_(whole_->parameters()),
      parts_(stages_of(config.model, vocabulary,
                       static_cast<int>(config.parallel.pipeline * config.parallel.pipeline_chunks))),
      placement_(placement_of(layout_, config.model, vocabulary, parts_, axis_.size())) {
  if (axis_.size() == 1) {
    chunks_ = {whole_};
  } else {
    for (auto stage = static_cast<std::size_t>(axis_.rank()); stage < parts_.size();
         stage += static_cast<std::size_t>(axis_.size())) {
      owned_chunks_.push_back(models::build_model(config.model, vocabulary, parts_[stage]));
      chunks_.push_back(owned_chunks_.back().get());
    }
    begins_ = chunks_.front()->begins();
    ends_ = chunks_.back()->ends();
  }
  std::vector<const models::ParameterList*> lists;
  for (models::Model* chunk : chunks_) lists.push_back(&chunk->parameters());
  pipeline_ = std::make_unique<Pipeline>(axis_, std::move(lists));
}

Stages::Stages(Communicator& world, models::Model& model)
    : world_(world),
      alone_(make_self_communicator()),
      shape_(data_only(world.size())),
      axis_(*alone_),
      data_(world),
      whole_(&model),
      layout_(model.parameters()),
      parts_{{}},
      placement_(all_here(layout_)),
      chunks_{&model},
      pipeline_(std::make_unique<Pipeline>(axis_, std::vector<const models::ParameterList*>{&model.parameters()})) {}

std::vector<models::ParameterList*> Stages::parameters() const {
  std::vector<models::ParameterList*> lists;
  for (models::Model* chunk : chunks_) lists.push_back(&chunk->parameters());
  return lists;
}

Pipeline::Activations Stages::activations(Size size) const {
  return {{size.sequences, size.length, whole_->config().width},
          chunks_.front()->parameters().all().front().value.scalar_type()};
}

Stages::Source Stages::for_chunks(const Source& source) const {
  const auto readers = std::ranges::count_if(chunks_, [this](const models::Model* chunk) { return reads(*chunk); });
  if (readers == 1) return source;
  struct Shared {
    MicroBatch batch;
    std::ptrdiff_t readers;
  };
  return [&source, readers, shared = std::map<std::int64_t, Shared>()](std::int64_t turn) mutable {
    auto found = shared.find(turn);
    if (found == shared.end()) found = shared.emplace(turn, Shared{source(turn), readers}).first;
    MicroBatch batch = found->second.batch;
    if (--found->second.readers == 0) shared.erase(found);
    return batch;
  };
}

std::vector<double> Stages::train(const std::vector<Action>& schedule, std::int64_t turns, Size size,
                                  const Source& source,
                                  const std::function<models::ForwardPass(std::int64_t turn)>& pass,
                                  const std::function<bool()>& give_up, GradientReducer& reducer) {
  std::vector<double> losses(ends_ ? static_cast<std::size_t>(turns) : 0);
  const Source batch_of = for_chunks(source);
  const auto forward = [&](int chunk, std::int64_t turn, const at::Tensor& input) {
    models::Model& model = *chunks_[static_cast<std::size_t>(chunk)];
    const MicroBatch batch = reads(model) ? batch_of(turn) : nullptr;
    models::ForwardPass how = pass(turn);
    how.weights = access_;
    if (batch) tell_borders(batch, how);
    const at::Tensor out = model.forward(model.begins() ? tokens_of(batch) : input, how);
    if (!model.ends()) return out;
    const at::Tensor loss = loss_of(model, out, batch, 1.0 / static_cast<double>(batch->step_targets), rule_, how);
    losses[static_cast<std::size_t>(turn)] = loss.const_data_ptr<double>()[0];
    return loss;
  };
  pipeline_->run(schedule, turns, activations(size), forward, access_, give_up, &reducer);
  return losses;
}

void Stages::run_forward(const std::vector<MicroBatch>& batches, std::int64_t most, Size size,
                         const std::function<bool()>& give_up, const Last& last) {
  const at::NoGradGuard no_grad;
  const auto forward = [&](int chunk, std::int64_t turn, const at::Tensor& input) {
    models::Model& model = *chunks_[static_cast<std::size_t>(chunk)];
    const MicroBatch& batch = batches[static_cast<std::size_t>(turn)];
    models::ForwardPass how{.weights = access_};
    if (batch) tell_borders(batch, how);
    const at::Tensor out = model.forward(model.begins() ? tokens_of(batch) : input, how);
    if (model.ends()) last(model, static_cast<std::size_t>(turn), out, how);
    return out;
  };
  pipeline_->run(forward_passes(static_cast<int>(chunks_.size()), most), static_cast<std::int64_t>(batches.size()),
                 activations(size), forward, access_, give_up, nullptr);
}

std::vector<models::Score> Stages::losses(const std::vector<MicroBatch>& batches, std::int64_t most, Size size,
                                          const std::function<bool()>& give_up) {
  std::vector<models::Score> scores(ends_ ? batches.size() : 0);
  run_forward(batches, most, size, give_up,
              [&](const models::Model& model, std::size_t turn, const at::Tensor& out, const models::ForwardPass& how) {
                const MicroBatch& batch = batches[turn];
                scores[turn] = batch->preferences.empty() ? models::score(model, out, targets_of(batch), how)
                                                          : models::preference_score(model, out, targets_of(batch),
                                                                                     preferences_of(batch), rule_, how);
              });
  return scores;
}

std::vector<std::vector<double>> Stages::margins(const std::vector<MicroBatch>& batches, std::int64_t most, Size size,
                                                 const std::function<bool()>& give_up) {
  std::vector<std::vector<double>> margins(ends_ ? batches.size() : 0);
  run_forward(batches, most, size, give_up,
              [&](const models::Model& model, std::size_t turn, const at::Tensor& out, const models::ForwardPass& how) {
                margins[turn] = models::preference_margins(model, out, targets_of(batches[turn]),
                                                           preferences_of(batches[turn]), how);
              });
  return margins;
}

models::NextScores Stages::next_scores(std::int64_t capacity, std::function<bool()> stop,
                                       std::shared_ptr<bool> stopped) {
  std::vector<std::shared_ptr<models::KvCache>> caches;
  for (models::Model* chunk : chunks_)
    caches.push_back(std::make_shared<models::KvCache>(chunk->config(), chunk->part(), 1, capacity,
                                                       chunk->parameters().all().front().value.scalar_type()));
  return [this, caches = std::move(caches), stop = std::move(stop), stopped = std::move(stopped),
          text = models::GrowingText(whole_->cache_border())](std::vector<std::int64_t>& new_ids) mutable {
    const at::NoGradGuard no_grad;
    const models::GrowingText::Next next = text.next(new_ids);
    for (const auto& cache : caches)
      if (next.clear) cache->clear();
    std::vector<std::int64_t>& ids = *next.ids;
    const auto length = static_cast<std::int64_t>(ids.size());
    // Scores, and behind them whether to stop.
    const at::Tensor message = at::empty({whole_->vocabulary() + 1}, at::kFloat);
    const at::Tensor scores = message.narrow(0, 0, whole_->vocabulary());
    const auto forward = [&](int chunk, std::int64_t, const at::Tensor& input) {
      models::Model& model = *chunks_[static_cast<std::size_t>(chunk)];
      const at::Tensor tokens = model.begins() ? at::from_blob(ids.data(), {1, length}, at::kLong) : input;
      const at::Tensor out =
          model.forward(tokens, {.cache = caches[static_cast<std::size_t>(chunk)].get(), .weights = access_});
      if (!model.ends()) return out;
      const models::ReadingWeights reading(access_, "head");
      scores.copy_(models::logits(model, out.select(1, length - 1)).view({-1}));
      return out;
    };
    any_busy(true);
    pipeline_->run(
        forward_passes(static_cast<int>(chunks_.size()), 1), 1, activations({1, length}), forward, access_,
        [] { return false; }, nullptr);
    auto* const numbers = message.mutable_data_ptr<float>();
    if (ends_) numbers[scores.numel()] = stop() ? 1 : 0;
    axis_.broadcast(numbers, message.nbytes(), last(), kScores);
    *stopped = numbers[scores.numel()] != 0;
    return scores;
  };
}

// Whether any rank of the data axis goes through another pass: where weights are shared out, all go along.
bool Stages::any_busy(bool busy) {
  std::int64_t any = busy;
  if (access_) data_.all_max(&any, 1);
  return any != 0;
}

void Stages::end_scores() {
  while (any_busy(false))
    pipeline_->run(
        forward_passes(static_cast<int>(chunks_.size()), 1), 0, activations({1, 1}), {}, access_, [] { return false; },
        nullptr);
}

}  // namespace trireme::train
