#include "train/loop/plan.h"

#include <ATen/Parallel.h>

#include <cmath>
#include <sstream>

#include "core/base/text.h"
#include "data/corpus/corpus.h"
#include "data/loader/loader.h"
#include "models/registry.h"
#include "train/parallel/fold.h"

namespace trireme::train {

std::string training_plan(Communicator& world, const TrainConfig& config) {
  const data::Corpus corpus = data::Corpus::open(config.data.path, data::Split::kTraining);
  const auto model = models::build_model(config.model, corpus.vocabulary_size());
  const data::SampleOrder order(static_cast<std::uint64_t>(config.seed), corpus.tokens(), config.data.sequence_length);
  const double size = static_cast<double>(model->parameters().elements());
  const double master = config.precision.compute == "fp64" ? 8 : 4,
               rounded = config.precision.compute == "bf16" ? 2 : 0;
  const auto [first, last] = share_of(config.micro_batches(), 0, world.size());
  const int buffers = fold_locally(config.micro_batches(), first, last).buffer_count + (world.size() > 1 ? 1 : 0);
  const double tokens = static_cast<double>(config.tokens_per_step()) * static_cast<double>(config.steps);
  std::ostringstream out;
  out << "model        " << config.model.family << ", " << count_text(size) << " parameters, vocabulary "
      << model->vocabulary() << "\n"
      << "data         " << count_text(static_cast<double>(corpus.tokens())) << " tokens, " << corpus.documents()
      << " documents, " << order.windows_per_epoch() << " sequences an epoch\n"
      << "step         " << config.tokens_per_step() << " tokens in " << config.micro_batches() << " micro-batches of "
      << config.data.micro_batch << " x " << config.data.sequence_length << "\n"
      << "run          " << config.steps << " steps, " << count_text(tokens) << " tokens, "
      << to_text(std::round(100 * tokens / static_cast<double>(corpus.tokens())) / 100) << " epochs, "
      << count_text(tokens * model->training_flops_per_token(config.data.sequence_length)) << " operations\n"
      << "ranks        " << world.size() << " x " << at::get_num_threads() << " threads; micro-batches a rank:";
  for (int rank = 0; rank < world.size(); ++rank) {
    const auto [begin, end] = share_of(config.micro_batches(), rank, world.size());
    out << " " << end - begin;
  }
  out << "\n"
      << "memory       a rank, activations apart: weights " << bytes_text(size * (master + rounded)) << ", moments "
      << bytes_text(2 * size * master)
      << (config.optimizer.ema_decay > 0 ? ", average " + bytes_text(size * master) : "") << ", gradients "
      << bytes_text(buffers * size * master) << "\n";
  return out.str();
}

}  // namespace trireme::train
