#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "data/corpus/corpus.h"
#include "data/loader/loader.h"
#include "train/loop/stages.h"

namespace trireme::train {

struct EvaluationResult {
  std::int64_t stopped = 0;               ///< StopReason; then there is nothing else
  double loss = 0;                        ///< nats a token, or a label
  std::optional<double> bits_per_byte{};  ///< of text
  std::optional<double> accuracy{};       ///< share of labels that are found
};

/// The sum of the losses of some batches.
struct BatchLosses {
  std::int64_t stopped = 0;  ///< StopReason; then there is nothing else
  double sum = 0;            ///< nats
  std::int64_t targets = 0;
  std::int64_t correct = 0;  ///< of labels
};

/// Called by all ranks; those of the data axis share batches 0 to `count` - 1 out, in runs. The sum is taken in the
/// order of batches, so it does not depend on their number.
/// @param batch  the text of one, asked for where it is read
/// @param stop   this rank's StopReason, asked before every few batches; any rank's ends it on all
BatchLosses batch_losses(Stages& stages, std::int64_t count, Stages::Size size,
                         const std::function<MicroBatch(std::int64_t number)>& batch,
                         const std::function<std::int64_t()>& stop);

/// How much of a set an evaluation reads, and in which pieces.
struct EvaluationPlan {
  std::int64_t sequence_length = 1;
  std::int64_t micro_batch = 1;
  std::int64_t batches = 0;        ///< micro-batches, spread evenly over the set; 0: all
  data::LabelPlace label_place{};  ///< of labelled texts
};

/// One set of text, and how well a model predicts it.
class Evaluation {
 public:
  /// @throws Error kBadInput when the text is shorter than a sequence
  Evaluation(std::string name, data::Corpus corpus, const EvaluationPlan& plan);
  Evaluation(const Evaluation&) = delete;  // its batches point to its corpus
  Evaluation& operator=(const Evaluation&) = delete;

  /// Called by all ranks; see batch_losses().
  EvaluationResult run(Stages& stages, const std::function<std::int64_t()>& stop) const;
  const std::string& name() const { return name_; }
  const std::string& content_hash() const { return corpus_.content_hash(); }
  const data::Corpus& corpus() const { return corpus_; }
  /// Of preferences: what the reference says of them, which outlives this. To be called before run().
  void compare_with(const std::vector<double>& margins) { margins_ = &margins; }

 private:
  std::string name_;
  data::Corpus corpus_;
  data::EvaluationBatches batches_;
  Stages::Size size_;
  std::int64_t chosen_;
  const std::vector<double>* margins_ = nullptr;
};

/// The text of one of eval.sets: the corpus's validation split, or all of it when it has none.
/// @throws Error kNotFound, kCorrupt; kBadInput when its tokens or labels are not those of `training`
data::Corpus open_evaluation_corpus(const std::filesystem::path& directory, const data::TrainingStream& training);

}  // namespace trireme::train
