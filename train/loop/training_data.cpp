#include "train/loop/training_data.h"

namespace trireme::train {

data::TrainingStream open_training_data(const TrainConfig& config) {
  std::vector<data::CorpusSource> sources;
  for (const CorpusShare& corpus : config.data.corpora()) sources.push_back({corpus.path, corpus.weight});
  return {sources, static_cast<std::uint64_t>(config.seed), config.data.sequence_length};
}

data::Augmentation augmentation_of(const TrainConfig& config, const data::TrainingStream& stream) {
  return {
      {.token_dropout = config.data.token_dropout, .fim = config.data.fim_rate, .fim_spm = config.data.fim_spm_rate},
      static_cast<std::uint64_t>(config.seed),
      stream.tokenizer_json()};
}

}  // namespace trireme::train
