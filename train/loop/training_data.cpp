#include "train/loop/training_data.h"

#include "core/base/error.h"
#include "core/base/text.h"
#include "data/corpus/corpus.h"
#include "models/family.h"

namespace trireme::train {

namespace {

data::Labels::Of of_head(const std::string& head) {
  return head == "classes"  ? data::Labels::Of::kTexts
         : head == "labels" ? data::Labels::Of::kTokens
                            : data::Labels::Of::kNothing;
}

}  // namespace

data::TrainingStream open_training_data(const TrainConfig& config) {
  std::vector<data::CorpusSource> sources;
  for (const CorpusShare& corpus : config.data.corpora()) sources.push_back({corpus.path, corpus.weight});
  data::TrainingStream stream(sources, static_cast<std::uint64_t>(config.seed), config.data.sequence_length);
  const auto expected = of_head(config.model.head);
  const data::Labels& labels = stream.labels();
  const bool of_answers = labels.of_answers() && expected == data::Labels::Of::kNothing;
  if (of_answers && models::kind_of(config.model) != models::Family::Kind::kDecoder)
    throw Error(ErrorCode::kBadInput, "data.path ", config.data.path, " holds ", name_of(labels.of),
                ", which decoders learn, not ", config.model.family);
  if (labels.of == data::Labels::Of::kPreferences && config.finetune.from.empty())
    throw Error(ErrorCode::kUsage, "data.path ", config.data.path,
                " holds preferences, which are learnt beside a model to begin with: name it in finetune.from");
  if (labels.of != expected && !of_answers)
    throw Error(ErrorCode::kBadInput, "data.path ", config.data.path, " has labels of ", name_of(labels.of),
                "; model.head ", config.model.head, " learns from labels of ", name_of(expected),
                " (trireme-data encode --labels)");
  if (labels.names != config.model.labels)
    throw Error(
        ErrorCode::kBadInput, "data.path ", config.data.path, " has the labels ",
        one_line(join(labels.names, ", "), 300), "; the model has ", one_line(join(config.model.labels, ", "), 300),
        ", in this order: encode it with --label-names, or name those of the corpus in model.labels for a new head");
  return stream;
}

void complete_head(models::ModelConfig& model, const DataConfig& config) {
  if (!model.classifies()) return;
  const std::string path = config.corpora()[0].path;
  const data::Corpus corpus = data::Corpus::open(path, data::Split::kTraining);
  if (model.labels.empty()) model.labels = corpus.labels().names;
  if (model.labels.empty())
    throw Error(ErrorCode::kBadInput, "data.path ", path, " has no labels, which model.head ", model.head,
                " learns from (trireme-data encode --labels)");
  if (model.head == "classes" && model.padding < 0 && !corpus.tokenizer_json().empty() &&
      models::kind_of(model) == models::Family::Kind::kDecoder)
    model.padding =
        data::Tokenizer::parse(corpus.tokenizer_json(), path + "/tokenizer.json").end_of_text().value_or(-1);
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
  if (config.data.token_dropout == 0 && config.data.fim_rate == 0) return {};
  if (stream.labels().of_answers())
    throw Error(ErrorCode::kUsage, "data.token-dropout and data.fim-rate change text, not the ",
                name_of(stream.labels().of), " of data.path");
  return {
      {.token_dropout = config.data.token_dropout, .fim = config.data.fim_rate, .fim_spm = config.data.fim_spm_rate},
      static_cast<std::uint64_t>(config.seed),
      stream.tokenizer_json()};
}

}  // namespace trireme::train
