#include "train/check/tiny_run.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>

#include "core/base/random.h"
#include "train/loop/evaluation.h"
#include "train/recovery/state_snapshot.h"

namespace trireme::train {
namespace {

constexpr std::int64_t kVocabulary = 1031;

struct TinyModel {
  const char *family, *precision, *recompute;
};
constexpr TinyModel kModels[] = {
    {"llama", "fp32", "none"}, {"gpt2", "bf16", "full"}, {"llama", "bf16", "selective"}, {"gpt2", "fp32", "none"},
    {"llama", "fp32", "full"}, {"gpt2", "bf16", "none"}, {"llama", "bf16", "none"},      {"gpt2", "fp32", "selective"},
    {"llama", "bf16", "full"}, {"gpt2", "fp32", "full"}, {"llama", "fp32", "selective"}, {"gpt2", "bf16", "selective"}};
static_assert(std::size(kModels) == kTinyModels);

// Micro-batch `number` of all that a run reads.
MicroBatch batch_of(std::int64_t number, const TrainConfig& config) {
  const RandomStream random(7, "self-check");
  const auto batch = std::make_shared<data::MicroBatch>();
  batch->sequences = config.data.micro_batch;
  batch->length = config.data.sequence_length;
  batch->step_targets = config.tokens_per_step();
  const std::int64_t size = batch->sequences * batch->length;
  for (std::int64_t i = 0; i <= size; ++i) {
    const auto id =
        static_cast<std::int64_t>(random.bits(static_cast<std::uint64_t>(number * (size + 1) + i)) % kVocabulary);
    if (i < size) batch->tokens.push_back(id);
    if (i > 0) batch->targets.push_back(id);
  }
  // Every other one is of documents that share its rows, and some of whose tokens are not asked for.
  if (number % 2 == 1) {
    for (std::int64_t begin = 0; begin < size;) {
      const std::int64_t left = batch->length - begin % batch->length;
      const std::int64_t length = std::min(left, 1 + (begin + number) % 7);
      batch->documents.push_back(length);
      begin += length;
      batch->targets[static_cast<std::size_t>(begin - 1)] = -1;
    }
    for (std::size_t i = 0; i < batch->targets.size(); i += 5) batch->targets[i] = -1;
  }
  return batch;
}

// NaN differs from everything.
void widen(double& difference, double a, double b) {
  if (a == b) return;
  const double found = std::abs(a - b);
  difference = std::isfinite(found) ? std::max(difference, found) : INFINITY;
}

void widen(double& difference, const float* a, const float* b, std::int64_t count) {
  if (std::equal(a, a + count, b)) return;
  for (std::int64_t i = 0; i < count; ++i) widen(difference, static_cast<double>(a[i]), static_cast<double>(b[i]));
}

void widen(double& difference, const std::vector<double>& a, const std::vector<double>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) widen(difference, a[i], b[i]);
}

// What a stretch of the row holds of an entry, in elements.
struct Overlap {
  std::int64_t in_stretch, count;
};
std::optional<Overlap> overlap(const FlatParameters::Entry& entry, std::int64_t begin, std::int64_t count) {
  const std::int64_t first = std::max(entry.begin, begin), last = std::min(entry.begin + entry.count, begin + count);
  if (first >= last) return std::nullopt;
  return Overlap{first - begin, last - first};
}

// The rows of an engine's state, by name of the tensor: where one rank has all of it, each tensor lies in one piece.
std::map<std::string, const float*> tensors_of(Engine& engine) {
  std::map<std::string, const float*> tensors;
  for (const StateRow& row : engine.state())
    for (const FlatParameters::Entry& entry : engine.parameters().entries())
      for (const Stretch& stretch : engine.parameters().own())
        if (const auto part = overlap(entry, stretch.begin, stretch.count); part && entry.tied_begin < 0)
          tensors[row.prefix + entry.parameter->name] =
              reinterpret_cast<const float*>(row.place(stretch)) + part->in_stretch;
  return tensors;
}

}  // namespace

// Small, and yet with several units of each layer for many ranks, dropout, a shared and a separate head, grouped keys,
// and more micro-batches than divide evenly.
TrainConfig tiny_config(std::size_t model, int ranks) {
  TrainConfig config;
  config.seed = 7;
  config.recompute = kModels[model].recompute;
  config.model.family = kModels[model].family;
  config.model.layers = std::clamp(ranks, 4, 16);
  config.model.width = 128;
  config.model.heads = 4;
  config.model.kv_heads = config.model.family == "llama" ? 2 : 0;
  config.model.tie_embeddings = config.model.family == "llama";
  config.model.context = 16;
  config.model.dropout = 0.1;
  config.data.sequence_length = 16;
  config.data.micro_batch = 1;
  config.data.global_batch = 2 * ranks + 1;
  config.precision.compute = kModels[model].precision;
  return config;
}

std::string tiny_model_text(std::size_t model) {
  const TinyModel& tiny = kModels[model];
  std::string text = std::string(tiny.family) + " " + tiny.precision;
  if (tiny.recompute != std::string("none")) text += ", recompute " + std::string(tiny.recompute);
  return text;
}

std::vector<std::int64_t> tiny_model_traits(std::size_t model) {
  // The first letters are enough.
  const TinyModel& tiny = kModels[model];
  return {tiny.family[0], tiny.precision[0], tiny.recompute[0]};
}

bool Difference::is_none() const {
  return std::ranges::all_of(kMembers, [this](double Difference::* member) { return this->*member == 0; });
}

TinyRun::TinyRun(Communicator& world, const TrainConfig& config, std::int64_t steps)
    : world_(world), engine_(world, config, kVocabulary) {
  constexpr double kLearningRate = 0.01;
  const std::int64_t micro_batches = config.micro_batches();
  engine_.stages().expect_borders();
  engine_.initialise();
  for (std::int64_t step = 0; step < steps; ++step) {
    const Share& share = engine_.share();
    const auto source = [&](std::int64_t turn) {
      return batch_of(step * micro_batches + share.first + turn * share.stride, config);
    };
    StepReport report;
    const std::vector<LeafReport> leaves =
        engine_.exchange(report, engine_.accumulate(step, source, [] { return false; }));
    double loss = 0;
    for (const LeafReport& leaf : leaves) loss += leaf.loss;
    losses_.push_back(loss);
    norms_.push_back(engine_.gradient_norm());
    engine_.update(step + 1, kLearningRate, norms_.back());
  }
  // What the last update has told everyone shows in a forward pass of everyone.
  Stages& stages = engine_.stages();
  const Stages::Size size{config.data.micro_batch, config.data.sequence_length};
  evaluation_ = batch_losses(
                    stages, micro_batches, size,
                    [&](std::int64_t number) { return batch_of(steps * micro_batches + number, config); },
                    [] { return std::int64_t{0}; })
                    .sum;
  std::vector<std::int64_t> prompt = {2, 3, 5};
  scores_ = stages
                .next_scores(
                    static_cast<std::int64_t>(prompt.size()), [] { return false; }, std::make_shared<bool>())(prompt)
                .clone();
  stages.end_scores();
}

Difference TinyRun::from(TinyRun& alone) {
  Difference mine;
  widen(mine.loss, losses_, alone.losses_);
  widen(mine.norm, norms_, alone.norms_);
  widen(mine.evaluation, evaluation_, alone.evaluation_);
  widen(mine.scores, scores_.const_data_ptr<float>(), alone.scores_.const_data_ptr<float>(), scores_.numel());
  const at::Tensor sums = alone.engine_.gradients().sums();
  for (const Stretch& stretch : engine_.parameters().own())
    for (std::int64_t at = stretch.begin; at < stretch.begin + stretch.count; at += kBlockElements)
      widen(mine.gradient, static_cast<const float*>(engine_.gradients().sum(at)), sums.const_data_ptr<float>() + at,
            kBlockElements);
  // As a checkpoint brings it together: every rank reads what it would write.
  StateSnapshot snapshot(StatePlan(engine_.mesh(), engine_.parameters(), engine_.state()),
                         /*writers=*/world_.size());
  snapshot.take();
  const std::map<std::string, const float*> expected = tensors_of(alone.engine_);
  for (const models::TensorSlice& slice : snapshot.slices()) {
    std::int64_t one = 1;
    for (std::size_t axis = 1; axis < slice.shape.size(); ++axis) one *= slice.shape[axis];
    widen(mine.state, static_cast<const float*>(slice.data), expected.at(slice.name) + slice.offset[0] * one,
          slice.size[0] * one);
  }

  std::vector<Difference> all(static_cast<std::size_t>(world_.size()));
  world_.all_gather(&mine, sizeof mine, all.data(), kControl);
  for (const Difference& theirs : all)
    for (double Difference::* member : Difference::kMembers) mine.*member = std::max(mine.*member, theirs.*member);
  return mine;
}

}  // namespace trireme::train
