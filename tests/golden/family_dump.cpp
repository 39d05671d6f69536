// Our side of family_oracle.py: weights, losses and gradients of a model as the trainer computes them, the batches that
// the trainer reads, and what cached decoding of a checkpoint says.
//
// Token ids go in and out as int64: for each micro-batch tokens [sequences][length], then targets of the same shape.
// Tensors come out as dump.h says.
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>

#include "core/base/error.h"
#include "core/base/random.h"
#include "core/config/command.h"
#include "data/loader/loader.h"
#include "models/checkpoint/checkpoint.h"
#include "models/generate/kv_cache.h"
#include "models/kernels/ops.h"
#include "models/load.h"
#include "models/registry.h"
#include "tests/golden/dump.h"
#include "train/loop/forward.h"
#include "train/parallel/flat_parameters.h"
#include "train/parallel/gradient_reducer.h"

namespace trireme {
namespace {

struct Options {
  models::ModelConfig model;
  std::int64_t vocabulary = 97;
  std::string precision = "fp64";
  std::int64_t seed = 1;
  double spread = 0;
  std::int64_t micro_batches = 1;
  std::int64_t micro_batch = 1;
  std::int64_t length = 1;
  std::int64_t steps = 1;
  std::string ids;
  std::string out;
  std::string corpus;
  std::string checkpoint;
  std::vector<std::string> pieces;

  static constexpr auto fields() {
    using C = Options;
    return std::tuple{Field{"model", &C::model, "shape"},
                      Field{"vocabulary", &C::vocabulary, "tokens"},
                      Field{"precision", &C::precision, "fp32, bf16, fp64", OneOf("fp32", "bf16", "fp64")},
                      Field{"seed", &C::seed, "of the initial weights and the order of samples"},
                      Field{"spread", &C::spread, "of normal noise on every initial weight, norms too"},
                      Field{"micro-batches", &C::micro_batches, "of a step"},
                      Field{"micro-batch", &C::micro_batch, "sequences"},
                      Field{"length", &C::length, "tokens a sequence"},
                      Field{"steps", &C::steps, "to read"},
                      Field{"ids", &C::ids, "file of token ids"},
                      Field{"out", &C::out, "what to write", kRequired},
                      Field{"corpus", &C::corpus, "directory"},
                      Field{"checkpoint", &C::checkpoint, "directory"},
                      Field{"pieces", &C::pieces, "tokens of each cached forward, in order"}};
  }
};

// What the dropouts of a step's first forward multiply by, over all of its samples: masks of ones.
void add_masks(Dump& dump, const Options& options) {
  const models::DropoutKey key{.seed = static_cast<std::uint64_t>(options.seed)};
  const std::int64_t samples = options.micro_batches * options.micro_batch;
  const auto add = [&](const std::string& site, std::int64_t heads, std::int64_t width) {
    const models::DropoutMask mask(key, site, options.model.dropout);
    at::Tensor ones = at::ones({samples, heads, options.length, width}, at::kDouble);
    auto* row = ones.mutable_data_ptr<double>();
    std::vector<std::uint32_t> scratch;
    for (std::int64_t sample = 0; sample < samples; ++sample)
      for (std::int64_t head = 0; head < heads; ++head)
        for (std::int64_t token = 0; token < options.length; ++token, row += width)
          mask.apply({sample, head, token}, row, width, row, scratch);
    dump.add("masks/" + site, ones);
  };
  add("embedding", 1, options.model.width);
  for (std::int64_t layer = 0; layer < options.model.layers; ++layer) {
    const std::string block = "blocks." + std::to_string(layer) + ".";
    add(block + "attention.probabilities", options.model.heads, options.length);
    add(block + "attention", 1, options.model.width);
    add(block + "feed-forward", 1, options.model.width);
  }
}

// Weights and, over the micro-batches of one step, losses and gradients: through the trainer's own parts.
int gradients(const Options& options) {
  const auto world = make_self_communicator();
  const auto model = models::build_model(options.model, options.vocabulary);
  train::FlatParameters parameters(model->parameters(), train::compute_type(options.precision));
  parameters.initialise(static_cast<std::uint64_t>(options.seed));
  Dump dump;
  for (const auto& entry : parameters.entries()) {
    if (entry.tied_begin >= 0) continue;
    at::Tensor master = parameters.master(entry);
    if (options.spread > 0) {
      at::Tensor noise = at::empty(entry.parameter->shape, at::kFloat);
      RandomStream(static_cast<std::uint64_t>(options.seed), "spread/" + entry.parameter->name)
          .fill_normal(noise.mutable_data_ptr<float>(), 0, static_cast<std::uint64_t>(entry.count),
                       static_cast<float>(options.spread));
      master.copy_(master.to(at::kFloat) + noise);  // the same values in every precision
    }
    dump.add("weights/" + entry.parameter->name, master);
  }
  parameters.publish();

  train::TrainConfig config;
  config.seed = options.seed;
  config.model = options.model;
  config.data.micro_batch = options.micro_batch;
  train::GradientReducer reducer(*world, parameters, options.micro_batches);
  const std::int64_t size = options.micro_batch * options.length;
  auto ids = read_ids(options.ids, options.micro_batches * 2 * size);
  std::vector<double> losses;
  reducer.begin_step();
  for (std::int64_t index = 0; index < options.micro_batches; ++index) {
    const auto batch = std::make_shared<data::MicroBatch>();
    batch->sequences = options.micro_batch;
    batch->length = options.length;
    const auto here = ids.begin() + index * 2 * size;
    batch->tokens.assign(here, here + size);
    batch->targets.assign(here + size, here + 2 * size);
    const at::Tensor hidden = model->forward(train::tokens_of(batch), train::training_pass(config, 0, index));
    const at::Tensor loss =
        train::loss_of(*model, hidden, batch, 1.0 / static_cast<double>(options.micro_batches * size));
    loss.backward();
    losses.push_back(loss.item<double>());
  }
  reducer.finish();
  const at::Tensor sum = reducer.sums();
  for (const auto& entry : parameters.entries())
    if (entry.tied_begin < 0)
      dump.add("gradients/" + entry.parameter->name,
               sum.narrow(0, entry.begin, entry.count).view(entry.parameter->shape));
  if (options.model.dropout > 0) add_masks(dump, options);
  dump.add("losses", at::tensor(losses, at::kDouble));
  dump.write(options.out);
  return kExitDone;
}

// All micro-batches that a run reads, step by step.
int batches(const Options& options) {
  const data::TrainingStream stream({{options.corpus, 1}}, static_cast<std::uint64_t>(options.seed), options.length);
  data::LoaderPlan plan;
  plan.micro_batch = options.micro_batch;
  plan.micro_batches_per_step = plan.last = options.micro_batches;
  plan.last_step = options.steps;
  data::Loader loader(stream, plan);
  std::string bytes;
  for (std::int64_t left = options.steps * options.micro_batches; left > 0; --left) {
    const data::MicroBatch batch = loader.next();
    for (const auto* ids : {&batch.tokens, &batch.targets})
      bytes.append(reinterpret_cast<const char*>(ids->data()), ids->size() * sizeof(std::int64_t));
  }
  write_file_atomically(options.out, bytes);
  return kExitDone;
}

// Logits [B, T, V] of a checkpoint for tokens [B][T], decoded piece by piece with a cache, and at once without one.
int logits(const Options& options) {
  const at::NoGradGuard no_grad;
  const auto model = models::load_model(models::open_source(options.checkpoint));
  auto ids = read_ids(options.ids, options.micro_batch * options.length);
  const at::Tensor tokens = at::from_blob(ids.data(), {options.micro_batch, options.length}, at::kLong);
  models::KvCache cache(model->config(), model->part(), options.micro_batch, options.length,
                        model->head().value.scalar_type());
  std::vector<at::Tensor> parts;
  std::int64_t begin = 0;
  for (const std::string& text : options.pieces) {
    const std::int64_t size = std::stoll(text);
    parts.push_back(models::logits(*model, model->forward(tokens.narrow(1, begin, size), {.cache = &cache})));
    begin += size;
  }
  Dump dump;
  dump.add("cached", at::cat(parts, 1));
  dump.add("whole", models::logits(*model, model->forward(tokens)));
  dump.write(options.out);
  return kExitDone;
}

}  // namespace
}  // namespace trireme

int main(int argc, char** argv) {
  using namespace trireme;
  Options options;
  const auto command = [&](const char* name, const char* summary, int (*run)(const Options&)) {
    return Command{
        .name = name, .summary = summary, .options = fields_of(options), .run = [run, &options](const Assignments&) {
          at::set_num_threads(1);
          return run(options);
        }};
  };
  return run_program({"family_dump",
                      "numbers of the model families and the trainer, for family_oracle.py",
                      {command("gradients", "weights, losses and gradients of a step", gradients),
                       command("batches", "token ids that a run reads", batches),
                       command("logits", "of a checkpoint, decoded with a cache", logits)},
                      ""},
                     argc, argv);
}
