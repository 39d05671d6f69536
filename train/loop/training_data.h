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

/// Names the labels of a model with model.head classes or labels that none were given: those of the corpus.
void fill_labels(TrainConfig& config);

/// What data.token-dropout and data.fim-rate do to its samples. @throws Error as Augmentation
data::Augmentation augmentation_of(const TrainConfig& config, const data::TrainingStream& stream);

}  // namespace trireme::train
