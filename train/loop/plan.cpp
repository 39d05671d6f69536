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

}  // namespace

std::string training_plan(Communicator& world, const TrainConfig& config) {
  const data::TrainingStream data = open_training_data(config);
  augmentation_of(config, data);  // refuses what the run would refuse
  const auto model = models::build_model(config.model, data.vocabulary_size());
  const double size = static_cast<double>(model->parameters().elements());
  const double master = config.precision.compute == "fp64" ? 8 : 4,
               rounded = config.precision.compute == "bf16" ? 2 : 0;
  const std::int64_t shard = config.parallel.shard, micro_batches = config.micro_batches();
  const Deal deal = deal_of(shard, micro_batches, world.size());
  const RowLayout layout(model->parameters());
  // The most that any rank holds, in elements.
  double own = 0;
  std::int64_t buffers = 0;
  for (int rank = 0; rank < world.size(); ++rank) {
    double mine = 0;
    for (const Stretch& stretch : stretches_of(layout, rank, shard >= 1 ? world.size() : 1))
      mine += static_cast<double>(stretch.count);
    own = std::max(own, mine);
    const Share share = share_of(micro_batches, rank, world.size(), Deal::kRuns);
    buffers = std::max<std::int64_t>(buffers, fold_locally(micro_batches, share.first, share.last).buffer_count);
  }
  const double own_gradients = own * static_cast<double>(layout.gradient_size) / static_cast<double>(layout.size);
  const double weights = rounded > 0 ? size * rounded + own * master : size * master;
  const double gradients =
      deal == Deal::kTurns
          ? own_gradients * static_cast<double>(most_values(fold_globally(micro_batches, world.size(), deal)))
          : static_cast<double>(layout.gradient_size * buffers);
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
      << "ranks        " << world.size() << " x " << at::get_num_threads() << " threads; micro-batches a rank:";
  for (int rank = 0; rank < world.size(); ++rank) {
    out << " " << share_of(micro_batches, rank, world.size(), deal).count();
  }
  out << "\n"
      << "memory       a rank, activations apart: weights " << bytes_text(weights) << ", moments "
      << bytes_text(2 * own * master) << (config.optimizer.ema_decay > 0 ? ", average " + bytes_text(own * master) : "")
      << ", gradients " << bytes_text(gradients * master) << "\n";
  return out.str();
}

}  // namespace trireme::train
