#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "core/comm/communicator.h"
#include "train/config/train_config.h"
#include "train/loop/stages.h"
#include "train/loop/step_exchange.h"
#include "train/optim/adamw.h"
#include "train/optim/anchor.h"
#include "train/parallel/flat_parameters.h"
#include "train/parallel/gradient_reducer.h"
#include "train/parallel/mesh.h"
#include "train/recovery/state_plan.h"

namespace trireme::train {

/// What turns micro-batches into new weights: all that a rank needs for it, in the layout that parallel.* gives it. It
/// knows no corpus, file or clock. All ranks make the same calls.
class Engine {
 public:
  /// @throws Error kUsage for a layout that cannot be, or that no model of this shape has
  Engine(Communicator& world, const TrainConfig& config, std::int64_t vocabulary);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  const Mesh& mesh() const { return mesh_; }
  Stages& stages() { return stages_; }
  FlatParameters& parameters() { return parameters_; }
  const GradientReducer& gradients() const { return reducer_; }
  AdamW& optimizer() { return optimizer_; }
  /// What keeps weights near their start; null without finetune.penalty.
  Anchor* anchor() { return anchor_ ? &*anchor_ : nullptr; }
  /// What a checkpoint holds.
  std::vector<StateRow> state() { return state_rows(parameters_, optimizer_, anchor()); }
  /// This rank's micro-batches.
  const Share& share() const { return reducer_.share(); }

  /// Initial weights: random ones of the run's seed, or those of a model on disk. Adapters that it has not are new.
  void initialise(const std::shared_ptr<const models::ModelSource>& source = nullptr);
  /// Weights that are not trained, which a checkpoint does not hold.
  void take_frozen(const std::shared_ptr<const models::ModelSource>& source);

  /// Forward and backward of a step, and the sum of its gradients.
  /// @param step     counts from 0
  /// @param source   this rank's micro-batches, asked for where they are read
  /// @param give_up  asked all the time; once it is true on any rank the sum is of no use
  /// @param drops    model.dropout, and that of adapters
  /// @returns        this rank's leaves: losses where they are known, hashes of what was read
  std::vector<LeafReport> accumulate(std::int64_t step, const Stages::Source& source,
                                     const std::function<bool()>& give_up, bool drops = true);
  /// The leaves of all ranks, with what else they have to say.
  std::vector<LeafReport> exchange(StepReport& report, std::vector<LeafReport> leaves) const;
  /// Takes the sum as one of the corpus of finetune.importance.
  void measure_importance();
  /// Adds the gradient of finetune.penalty, if there is one, to the sum. @returns the penalty
  double add_penalty();
  /// Of the sum.
  double gradient_norm() const;
  /// New weights from the sum, which is scaled down where `norm` exceeds optimizer.clip-norm.
  /// @param step  counts from 1
  void update(std::int64_t step, double learning_rate, double norm);

 private:
  std::vector<Action> schedule() const;

  const TrainConfig config_;
  const Mesh mesh_;
  const Deal deal_;
  Stages stages_;
  FlatParameters parameters_;
  const std::vector<std::vector<Unit>> units_;  // of each rank
  GradientReducer reducer_;
  const std::vector<Action> schedule_;
  AdamW optimizer_;
  std::optional<Anchor> anchor_;
};

}  // namespace trireme::train
