#include "train/loop/evaluation.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <numbers>
#include <vector>

#include "train/loop/forward.h"

namespace trireme::train {

Evaluation::Evaluation(const std::filesystem::path& corpus, std::int64_t sequence_length, std::int64_t micro_batch)
    : corpus_(data::Corpus::open(corpus, data::Split::kValidation)), batches_(corpus_, sequence_length, micro_batch) {}

EvaluationResult Evaluation::run(Communicator& world, models::Model& model) const {
  const at::NoGradGuard no_grad;
  const std::int64_t batches = batches_.count();
  const std::int64_t each = (batches + world.size() - 1) / world.size();
  std::vector<double> mine(static_cast<std::size_t>(each), 0.0);
  std::vector<double> all(static_cast<std::size_t>(each * world.size()));
  for (std::int64_t i = 0; i < each && world.rank() * each + i < batches; ++i) {
    world.check();
    data::MicroBatch batch = batches_.batch(world.rank() * each + i);
    mine[static_cast<std::size_t>(i)] = loss_of(model, batch, 1.0).item<double>();
  }
  world.all_gather(mine.data(), mine.size() * sizeof(double), all.data());
  double sum = 0;
  for (const double loss : all) sum += loss;
  return {sum / static_cast<double>(batches_.targets()),
          sum / std::numbers::ln2 / static_cast<double>(std::max<std::int64_t>(1, corpus_.text_bytes()))};
}

}  // namespace trireme::train
