#include "train/loop/training_data.h"

#include "core/base/error.h"

namespace trireme::train {

data::TrainingStream open_training_data(const TrainConfig& config) {
  std::vector<data::CorpusSource> sources;
  for (const CorpusShare& corpus : config.data.corpora()) sources.push_back({corpus.path, corpus.weight});
  return {sources, static_cast<std::uint64_t>(config.seed), config.data.sequence_length};
}

std::int64_t vocabulary_of(const TrainConfig& config, const data::TrainingStream& stream) {
  const std::int64_t ids = stream.vocabulary_size();
  if (config.model.vocabulary == 0) return ids;
  if (config.model.vocabulary < ids)
    throw Error(ErrorCode::kUsage, "model.vocabulary must be 0 or at least ", ids,
                ", the ids of the corpus's tokenizer, got ", config.model.vocabulary);
  return config.model.vocabulary;
}

data::Augmentation augmentation_of(const TrainConfig& config, const data::TrainingStream& stream) {
  return {
      {.token_dropout = config.data.token_dropout, .fim = config.data.fim_rate, .fim_spm = config.data.fim_spm_rate},
      static_cast<std::uint64_t>(config.seed),
      stream.tokenizer_json()};
}

}  // namespace trireme::train
