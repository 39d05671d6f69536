#pragma once
#include "data/loader/augmentation.h"
#include "data/loader/training_stream.h"
#include "train/config/train_config.h"

namespace trireme::train {

/// Rows of the model's embedding: model.vocabulary, or as many as the tokenizer has ids.
/// @throws Error kUsage when they are fewer than these
std::int64_t vocabulary_of(const TrainConfig& config, const data::TrainingStream& stream);

/// The corpora of data.path as the row of samples that config.seed gives. @throws Error as TrainingStream; kBadInput
/// where they are not labelled as model.head and model.labels ask for
data::TrainingStream open_training_data(const TrainConfig& config);

/// What a new head, of model.head classes or labels, has to know and was not told: the labels of the corpus, and which
/// token stands behind texts, that which ends them.
void complete_head(models::ModelConfig& model, const DataConfig& data);

/// What data.token-dropout and data.fim-rate do to its samples. @throws Error as Augmentation
data::Augmentation augmentation_of(const TrainConfig& config, const data::TrainingStream& stream);

}  // namespace trireme::train
