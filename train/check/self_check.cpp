#include "train/check/self_check.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/random.h"
#include "core/config/command.h"
#include "train/check/layouts.h"
#include "train/loop/engine.h"

namespace trireme::train {
namespace {

constexpr std::int64_t kVocabulary = 1031;

struct Variation {
  const char *family, *precision, *recompute;
};
constexpr Variation kVariations[] = {
    {"llama", "fp32", "none"}, {"gpt2", "bf16", "full"}, {"llama", "bf16", "selective"}, {"gpt2", "fp32", "none"},
    {"llama", "fp32", "full"}, {"gpt2", "bf16", "none"}, {"llama", "bf16", "none"},      {"gpt2", "fp32", "selective"},
    {"llama", "bf16", "full"}, {"gpt2", "fp32", "full"}, {"llama", "fp32", "selective"}, {"gpt2", "bf16", "selective"}};

// Small, and yet with several units of each layer for many ranks, dropout, a shared and a separate head, grouped keys,
// and more micro-batches than divide evenly.
TrainConfig config_of(const Variation& variation, int ranks) {
  TrainConfig config;
  config.seed = 7;
  config.recompute = variation.recompute;
  config.model.family = variation.family;
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
  config.precision.compute = variation.precision;
  return config;
}

std::string text_of(const Variation& variation) {
  std::string text = std::string(variation.family) + " " + variation.precision;
  if (variation.recompute != std::string("none")) text += ", recompute " + std::string(variation.recompute);
  return text;
}

// Micro-batch `number` of all that a check reads.
MicroBatch batch_of(std::int64_t number, const TrainConfig& config) {
  const RandomStream random(7, "self-check");
  const auto batch = std::make_shared<data::MicroBatch>();
  batch->sequences = config.data.micro_batch;
  batch->length = config.data.sequence_length;
  const std::int64_t size = batch->sequences * batch->length;
  for (std::int64_t i = 0; i <= size; ++i) {
    const auto id =
        static_cast<std::int64_t>(random.bits(static_cast<std::uint64_t>(number * (size + 1) + i)) % kVocabulary);
    if (i < size) batch->tokens.push_back(id);
    if (i > 0) batch->targets.push_back(id);
  }
  return batch;
}

struct Trained {
  std::vector<double> losses, norms;
  std::vector<double> evaluations;  // of each data rank, which all read the same
};

Trained train(Engine& engine, const TrainConfig& config, std::int64_t steps) {
  constexpr double kLearningRate = 0.01;
  const std::int64_t micro_batches = config.micro_batches();
  Trained trained;
  engine.initialise();
  for (std::int64_t step = 0; step < steps; ++step) {
    const Share& share = engine.share();
    const auto source = [&](std::int64_t turn) {
      return batch_of(step * micro_batches + share.first + turn * share.stride, config);
    };
    StepReport report;
    const std::vector<LeafReport> leaves =
        engine.exchange(report, engine.accumulate(step, source, [] { return false; }));
    double loss = 0;
    for (const LeafReport& leaf : leaves) loss += leaf.loss;
    trained.losses.push_back(loss);
    trained.norms.push_back(engine.gradient_norm());
    engine.update(step + 1, kLearningRate, trained.norms.back());
  }
  // What the last update has told everyone shows in a forward pass.
  Stages& stages = engine.stages();
  const std::vector<double> found =
      stages.losses({batch_of(steps * micro_batches, config)}, 1,
                    {config.data.micro_batch, config.data.sequence_length}, [] { return false; });
  std::vector<double> all(static_cast<std::size_t>(stages.world().size()));
  const double mine = found.empty() ? 0 : found[0];
  stages.world().all_gather(&mine, sizeof mine, all.data());
  for (int rank = 0; rank < stages.world().size(); ++rank)
    if (stages.shape().coordinate(Axis::kPipeline, rank) == stages.last())
      trained.evaluations.push_back(all[static_cast<std::size_t>(rank)]);
  return trained;
}

// NaN differs from everything.
void widen(double& difference, double a, double b) {
  if (a == b) return;
  const double found = std::abs(a - b);
  difference = std::isfinite(found) ? std::max(difference, found) : INFINITY;
}

template <class T>
void widen(double& difference, const T* a, const T* b, std::int64_t count) {
  if (std::equal(a, a + count, b)) return;
  for (std::int64_t i = 0; i < count; ++i) widen(difference, static_cast<double>(a[i]), static_cast<double>(b[i]));
}

// One rank's run, made by every rank for itself.
struct Reference {
  Reference(const TrainConfig& config, std::int64_t steps)
      : alone(make_self_communicator()), engine(*alone, config, kVocabulary), trained(train(engine, config, steps)) {
    sums = engine.gradients().sums();
  }
  std::unique_ptr<Communicator> alone;
  Engine engine;
  Trained trained;
  at::Tensor sums;
};

Difference compared(Communicator& world, Engine& engine, const Trained& trained, Reference& reference) {
  Difference mine;
  for (std::size_t i = 0; i < trained.losses.size(); ++i) {
    widen(mine.loss, trained.losses[i], reference.trained.losses[i]);
    widen(mine.norm, trained.norms[i], reference.trained.norms[i]);
  }
  for (const double evaluation : trained.evaluations)
    widen(mine.evaluation, evaluation, reference.trained.evaluations[0]);
  FlatParameters& parameters = engine.parameters();
  const float* const weights = reference.engine.parameters().masters().const_data_ptr<float>();
  for (const Stretch& stretch : parameters.own()) {
    // In one row alone a rank has everything, and a stretch's place there is its own.
    widen(mine.weights, static_cast<const float*>(parameters.masters(stretch)), weights + stretch.begin, stretch.count);
    for (std::int64_t at = stretch.begin; at < stretch.begin + stretch.count; at += kBlockElements)
      widen(mine.gradient, static_cast<const float*>(engine.gradients().sum(at)),
            reference.sums.const_data_ptr<float>() + at, kBlockElements);
  }
  std::vector<Difference> all(static_cast<std::size_t>(world.size()));
  world.all_gather(&mine, sizeof mine, all.data());
  for (const Difference& theirs : all)
    for (double Difference::* member :
         {&Difference::loss, &Difference::norm, &Difference::gradient, &Difference::weights, &Difference::evaluation})
      mine.*member = std::max(mine.*member, theirs.*member);
  return mine;
}

void check_each(Communicator& world, const SelfCheckOptions& options,
                const std::function<void(const CheckedLayout&)>& done) {
  std::map<std::size_t, std::unique_ptr<Reference>> references;
  std::size_t next = 0;
  const TrainConfig shape = config_of(kVariations[0], world.size());
  for (const ParallelConfig& layout : legal_layouts(world.size(), shape.model.layers, shape.micro_batches())) {
    constexpr std::size_t kCount = std::size(kVariations);
    const std::size_t first = options.all ? 0 : next++ % kCount, last = options.all ? kCount : first + 1;
    for (std::size_t i = first; i < last; ++i) {
      TrainConfig config = config_of(kVariations[i], world.size());
      auto& reference = references[i];
      if (!reference) reference = std::make_unique<Reference>(config, options.steps);
      config.parallel = layout;
      CheckedLayout checked{layout_text(layout, world.size()), text_of(kVariations[i]), {}};
      try {
        Engine engine(world, config, kVocabulary);
        const Trained trained = train(engine, config, options.steps);
        checked.difference = compared(world, engine, trained, *reference);
      } catch (const Error& error) {
        throw Error(error.code(), checked.layout, ", ", checked.model, ": ", error.what());
      }
      done(checked);
    }
  }
}

std::string cell(double difference) {
  if (difference == 0) return "0";
  char text[32];
  std::snprintf(text, sizeof text, "%.1e", difference);
  return text;
}

}  // namespace

std::vector<CheckedLayout> self_check(Communicator& world, const SelfCheckOptions& options) {
  std::vector<CheckedLayout> all;
  check_each(world, options, [&](const CheckedLayout& checked) { all.push_back(checked); });
  return all;
}

int run_self_check(Communicator& world, const SelfCheckOptions& options) {
  constexpr const char* kLine = "%-58s %-32s %-9s %-9s %-9s %-9s %-9s %s\n";
  const bool speaks = world.rank() == 0;
  std::size_t count = 0, differ = 0;
  nlohmann::json layouts = nlohmann::json::array();
  const auto write = [&](const auto&... cells) {
    if (speaks && !options.json && (std::printf(kLine, cells...) < 0 || std::fflush(stdout) != 0))
      throw Error(ErrorCode::kIo, "cannot write to stdout");
  };
  write("layout", "model", "loss", "norm", "gradient", "weights", "eval", "limit 0");
  check_each(world, options, [&](const CheckedLayout& checked) {
    const Difference& d = checked.difference;
    ++count;
    differ += !d.is_none();
    write(checked.layout.c_str(), checked.model.c_str(), cell(d.loss).c_str(), cell(d.norm).c_str(),
          cell(d.gradient).c_str(), cell(d.weights).c_str(), cell(d.evaluation).c_str(),
          d.is_none() ? "equal" : "DIFFERS");
    layouts.push_back({{"layout", checked.layout},
                       {"model", checked.model},
                       {"loss", d.loss},
                       {"grad_norm", d.norm},
                       {"gradient", d.gradient},
                       {"weights", d.weights},
                       {"eval_loss", d.evaluation},
                       {"equal", d.is_none()}});
  });
  if (speaks && options.json) {
    std::cout << nlohmann::json{{"ranks", world.size()},
                                {"steps", options.steps},
                                {"layouts", layouts},
                                {"differ", differ}}
                     .dump()
              << std::endl;
    if (!std::cout) throw Error(ErrorCode::kIo, "cannot write to stdout");
  } else if (speaks) {
    std::printf("%zu layouts of %d %s, %lld steps each beside one rank alone: %s\n", count, world.size(),
                world.size() == 1 ? "rank" : "ranks", static_cast<long long>(options.steps),
                differ == 0 ? "all equal, to the bit" : (std::to_string(differ) + " differ").c_str());
  }
  return differ == 0 ? kExitDone : kExitFailed;
}

}  // namespace trireme::train
