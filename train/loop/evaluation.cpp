#include "train/loop/evaluation.h"

#include <algorithm>
#include <numbers>
#include <vector>

#include "core/base/error.h"
#include "train/loop/reference.h"
#include "train/parallel/sites.h"

namespace trireme::train {

Evaluation::Evaluation(std::string name, data::Corpus corpus, const EvaluationPlan& plan)
    : name_(std::move(name)),
      corpus_(std::move(corpus)),
      batches_(corpus_, plan.sequence_length, plan.micro_batch, plan.label_place),
      size_{plan.micro_batch, plan.sequence_length},
      chosen_(plan.batches == 0 ? batches_.count() : std::min(plan.batches, batches_.count())) {}

BatchLosses batch_losses(Stages& stages, std::int64_t chosen, Stages::Size size,
                         const std::function<MicroBatch(std::int64_t number)>& batch,
                         const std::function<std::int64_t()>& stop) {
  Communicator& world = stages.world();
  const MeshShape& shape = stages.shape();
  const std::int64_t data_ranks = shape.size(Axis::kData), data_rank = shape.coordinate(Axis::kData, world.rank());
  const std::int64_t each = (chosen + data_ranks - 1) / data_ranks;
  // As many batches at a time as keep all stages at work.
  const std::int64_t most = std::min<std::int64_t>(each, 2 * shape.size(Axis::kPipeline) - 1);
  struct Part {
    double loss = 0;
    std::int64_t targets = 0, correct = 0, stop = 0;
  };
  std::vector<double> losses(static_cast<std::size_t>(each * data_ranks), 0.0);
  std::int64_t targets = 0, correct = 0;
  // Ranks tell each other of every few batches: a stop is then known to all at the same one, however long the rest
  // would be.
  for (std::int64_t begin = 0; begin < each; begin += most) {
    const std::int64_t count = std::min(most, each - begin);
    std::vector<Part> mine(static_cast<std::size_t>(count)),
        round(mine.size() * static_cast<std::size_t>(world.size()));
    std::vector<MicroBatch> batches;
    for (std::int64_t i = 0; i < count; ++i)
      if (const std::int64_t number = data_rank * each + begin + i; number < chosen)
        batches.push_back(stages.reads() ? batch(number) : nullptr);
    mine[0].stop = stop();
    const std::vector<models::Score> found = stages.losses(batches, count, size, [&] { return mine[0].stop != 0; });
    for (std::size_t i = 0; i < found.size(); ++i) {
      mine[i].loss = found[i].loss;
      mine[i].correct = found[i].correct;
      mine[i].targets = batches[i]->preferences.empty() ? static_cast<std::int64_t>(batches[i]->targets.size()) -
                                                              std::ranges::count(batches[i]->targets, -1)
                                                        : static_cast<std::int64_t>(batches[i]->preferences.size());
    }
    world.all_gather(mine.data(), mine.size() * sizeof(Part), round.data(), kEvaluationLosses);
    std::int64_t stopped = 0;
    for (int rank = 0; rank < world.size(); ++rank) {
      const Part* const theirs = round.data() + static_cast<std::size_t>(rank) * mine.size();
      stopped |= theirs[0].stop;
      if (shape.coordinate(Axis::kPipeline, rank) != stages.last()) continue;
      for (std::int64_t i = 0; i < count; ++i) {
        losses[static_cast<std::size_t>(shape.coordinate(Axis::kData, rank) * each + begin + i)] = theirs[i].loss;
        targets += theirs[i].targets;
        correct += theirs[i].correct;
      }
    }
    if (stopped) return {.stopped = stopped};
  }
  double sum = 0;
  for (const double loss : losses) sum += loss;
  return {0, sum, targets, correct};
}

EvaluationResult Evaluation::run(Stages& stages, const std::function<std::int64_t()>& stop) const {
  const BatchLosses found = batch_losses(
      stages, chosen_, size_,
      [this](std::int64_t number) {
        auto batch = std::make_shared<data::MicroBatch>(batches_.batch(number * batches_.count() / chosen_));
        if (margins_) compare(*batch, [this](std::int64_t) -> const std::vector<double>& { return *margins_; });
        return batch;
      },
      stop);
  if (found.stopped) return {.stopped = found.stopped};
  if (found.targets == 0)
    throw Error(ErrorCode::kBadInput, "the evaluation set ", name_, " has no ",
                corpus_.labels().of_answers() ? "answer" : "label", " within the first ", size_.length,
                " tokens of its texts (data.sequence-length)");
  const double loss = found.sum / static_cast<double>(found.targets);
  if (corpus_.labels().of == data::Labels::Of::kAnswers) return {.loss = loss};
  if (corpus_.labels().any())
    return {.loss = loss, .accuracy = static_cast<double>(found.correct) / static_cast<double>(found.targets)};
  // Of a part of the set, its share of the text.
  const double bytes = static_cast<double>(std::max<std::int64_t>(1, corpus_.text_bytes())) *
                       (static_cast<double>(found.targets) / static_cast<double>(batches_.targets()));
  return {0, loss, found.sum / std::numbers::ln2 / bytes};
}

data::Corpus open_evaluation_corpus(const std::filesystem::path& directory, const data::TrainingStream& training) {
  data::Corpus corpus = data::Corpus::open(directory, data::Split::kValidation);
  if (corpus.documents() == 0) corpus = data::Corpus::open(directory, data::Split::kTraining);
  if (corpus.tokenizer_hash() != training.tokenizer_hash())
    throw Error(ErrorCode::kBadInput, directory.string(),
                " was encoded with another tokenizer than the corpus of data.path");
  if (corpus.labels() != training.labels() || corpus.vocabulary_size() != training.vocabulary_size())
    throw Error(ErrorCode::kBadInput, directory.string(), " has other labels than the corpus of data.path");
  return corpus;
}

}  // namespace trireme::train
