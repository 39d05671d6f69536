#include "train/loop/evaluation.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <numbers>
#include <vector>

#include "core/base/error.h"
#include "train/loop/forward.h"

namespace trireme::train {

Evaluation::Evaluation(std::string name, data::Corpus corpus, const EvaluationPlan& plan)
    : name_(std::move(name)),
      corpus_(std::move(corpus)),
      batches_(corpus_, plan.sequence_length, plan.micro_batch),
      chosen_(plan.batches == 0 ? batches_.count() : std::min(plan.batches, batches_.count())) {}

EvaluationResult Evaluation::run(Communicator& world, models::Model& model,
                                 const std::function<std::int64_t()>& stop) const {
  const at::NoGradGuard no_grad;
  const std::int64_t each = (chosen_ + world.size() - 1) / world.size();
  struct Part {
    double loss = 0;
    std::int64_t targets = 0, stop = 0;
  };
  std::vector<Part> round(static_cast<std::size_t>(world.size()));
  std::vector<double> losses(static_cast<std::size_t>(each * world.size()), 0.0);
  std::int64_t targets = 0;
  // Ranks tell each other of every batch: a stop is then known to all at the same one, however long the rest would be.
  for (std::int64_t i = 0; i < each; ++i) {
    Part mine{.stop = stop()};
    if (const std::int64_t number = world.rank() * each + i; !mine.stop && number < chosen_) {
      data::MicroBatch batch = batches_.batch(number * batches_.count() / chosen_);
      mine.targets = static_cast<std::int64_t>(batch.targets.size()) - std::ranges::count(batch.targets, -1);
      mine.loss = loss_of(model, batch, 1.0).item<double>();
    }
    world.all_gather(&mine, sizeof mine, round.data());
    std::int64_t stopped = 0;
    for (int rank = 0; rank < world.size(); ++rank) {
      const Part& part = round[static_cast<std::size_t>(rank)];
      losses[static_cast<std::size_t>(rank * each + i)] = part.loss;
      targets += part.targets;
      stopped |= part.stop;
    }
    if (stopped) return {.stopped = stopped};
  }
  double sum = 0;
  for (const double loss : losses) sum += loss;
  // Of a part of the set, its share of the text.
  const double bytes = static_cast<double>(std::max<std::int64_t>(1, corpus_.text_bytes())) *
                       (static_cast<double>(targets) / static_cast<double>(batches_.targets()));
  return {0, sum / static_cast<double>(targets), sum / std::numbers::ln2 / bytes};
}

data::Corpus open_evaluation_corpus(const std::filesystem::path& directory, const std::string& tokenizer_hash) {
  data::Corpus corpus = data::Corpus::open(directory, data::Split::kValidation);
  if (corpus.documents() == 0) corpus = data::Corpus::open(directory, data::Split::kTraining);
  if (corpus.tokenizer_hash() != tokenizer_hash)
    throw Error(ErrorCode::kBadInput, directory.string(),
                " was encoded with another tokenizer than the corpus of data.path");
  return corpus;
}

}  // namespace trireme::train
