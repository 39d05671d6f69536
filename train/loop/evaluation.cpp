#include "train/loop/evaluation.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <numbers>
#include <vector>

#include "train/loop/forward.h"

namespace trireme::train {

Evaluation::Evaluation(const std::filesystem::path& corpus, std::int64_t sequence_length, std::int64_t micro_batch)
    : corpus_(data::Corpus::open(corpus, data::Split::kValidation)), batches_(corpus_, sequence_length, micro_batch) {}

EvaluationResult Evaluation::run(Communicator& world, models::Model& model,
                                 const std::function<std::int64_t()>& stop) const {
  const at::NoGradGuard no_grad;
  const std::int64_t batches = batches_.count();
  const std::int64_t each = (batches + world.size() - 1) / world.size();
  struct Part {
    double loss = 0;
    std::int64_t stop = 0;
  };
  std::vector<Part> round(static_cast<std::size_t>(world.size()));
  std::vector<double> losses(static_cast<std::size_t>(each * world.size()), 0.0);
  // Ranks tell each other of every batch: a stop is then known to all at the same one, however long the rest would be.
  for (std::int64_t i = 0; i < each; ++i) {
    Part mine{0, stop()};
    if (const std::int64_t index = world.rank() * each + i; !mine.stop && index < batches) {
      data::MicroBatch batch = batches_.batch(index);
      mine.loss = loss_of(model, batch, 1.0).item<double>();
    }
    world.all_gather(&mine, sizeof mine, round.data());
    std::int64_t stopped = 0;
    for (int rank = 0; rank < world.size(); ++rank) {
      const Part& part = round[static_cast<std::size_t>(rank)];
      losses[static_cast<std::size_t>(rank * each + i)] = part.loss;
      stopped |= part.stop;
    }
    if (stopped) return {.stopped = stopped};
  }
  double sum = 0;
  for (const double loss : losses) sum += loss;
  return {0, sum / static_cast<double>(batches_.targets()),
          sum / std::numbers::ln2 / static_cast<double>(std::max<std::int64_t>(1, corpus_.text_bytes()))};
}

}  // namespace trireme::train
