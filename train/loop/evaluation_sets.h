#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "train/config/train_config.h"
#include "train/loop/evaluation.h"
#include "train/loop/run_files.h"
#include "train/optim/adamw.h"

namespace trireme::train {

/// Everything that a run is evaluated on: the validation split of its corpus, if there is one, and eval.sets. The first
/// set is the main one, whose loss is the run's eval_loss.
class EvaluationSets {
 public:
  /// @param training              what is trained on
  /// @param label_place           of labelled texts
  /// @param speaks                whether to warn of a corpus without a validation split
  /// @throws Error kNotFound, kCorrupt, kBadInput
  EvaluationSets(const TrainConfig& config, const data::TrainingStream& training, const data::LabelPlace& label_place,
                 bool speaks);

  bool empty() const { return sets_.empty(); }
  std::deque<Evaluation>& sets() { return sets_; }
  /// A line a set, with the hash of its tokens: what ranks have to agree on.
  std::string contents() const;

  struct Outcome {
    std::int64_t stopped = 0;   ///< StopReason; then there is nothing else
    std::vector<SetLoss> sets;  ///< in order
  };
  /// Called by all ranks. Reads every set with the weights, and again with their average where one is kept.
  Outcome run(Stages& stages, AdamW& optimizer, const std::function<std::int64_t()>& stop) const;

 private:
  std::deque<Evaluation> sets_;  // which do not move
};

/// "validation loss 3.3643 nats a token, 1.2173 bits a byte", or "validation loss 0.3643, accuracy 91.2%"
std::string loss_text(const SetLoss& set);

}  // namespace trireme::train
