#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "models/generate/generate.h"
#include "models/loss.h"
#include "train/config/train_config.h"
#include "train/loop/forward.h"
#include "train/parallel/mesh.h"
#include "train/parallel/pipeline.h"
#include "train/parallel/placement.h"
#include "train/parallel/row_layout.h"

namespace trireme::train {

/// The parts of a model that this rank has, one a stage of its pipeline, and what goes through all of them together:
/// training steps, evaluations, texts.
class Stages {
 public:
  /// What parallel.pipeline asks for. The weights have no memory until FlatParameters binds them.
  /// @throws Error kUsage for more stages than layers
  Stages(const Mesh& mesh, const TrainConfig& config, std::int64_t vocabulary);
  /// A whole model on each rank.
  Stages(Communicator& world, models::Model& model);
  Stages(const Stages&) = delete;
  Stages& operator=(const Stages&) = delete;

  Communicator& world() const { return world_; }
  const MeshShape& shape() const { return shape_; }
  Communicator& axis() const { return axis_; }
  /// The whole model; its weights have memory only where it is one stage.
  models::Model& whole() { return *whole_; }
  std::vector<models::ParameterList*> parameters() const;
  /// To be told of the parts that passes read, where weights are not always there; outlives this.
  void tell(models::WeightAccess& access) { access_ = &access; }
  const RowLayout& layout() const { return layout_; }
  const Placement& placement() const { return placement_; }

  /// Texts of micro-batches have borders, lengths or documents, which every stage has to know.
  void expect_borders() { have_borders_ = true; }
  /// Whether this rank needs micro-batches: the first stage reads tokens, the last compares targets, and all borders.
  bool reads() const { return begins_ || ends_ || have_borders_; }
  /// Whether losses are known here.
  bool ends() const { return ends_; }
  /// Along the pipeline, where losses are known.
  int last() const { return axis_.size() - 1; }

  /// This rank's micro-batches, each asked for once, in order.
  using Source = std::function<MicroBatch(std::int64_t turn)>;
  struct Size {
    std::int64_t sequences = 1, length = 1;
  };
  /// Forward and backward of a step. Called by all ranks of the pipeline.
  /// @param schedule  of this rank; its micro-batches are turns. Where weights are shared out, of as many turns as any
  ///                  rank of the data axis has
  /// @param turns     of this rank
  /// @param pass      of a turn
  /// @returns         the loss of each turn, its share of the step's, which is a mean over all targets of that, where
  /// they are known and the step is not given up
  std::vector<double> train(const std::vector<Action>& schedule, std::int64_t turns, Size size, const Source& source,
                            const std::function<models::ForwardPass(std::int64_t turn)>& pass,
                            const std::function<bool()>& give_up, GradientReducer& reducer);

  /// Sums of losses of micro-batches of equal size, where they are known. Called by all ranks; those of a pipeline have
  /// the same ones, each those that it reads.
  /// @param most  so many, or one less, have the others
  std::vector<models::Score> losses(const std::vector<MicroBatch>& batches, std::int64_t most, Size size,
                                    const std::function<bool()>& give_up);
  /// The same of preference_margins() of each micro-batch.
  std::vector<std::vector<double>> margins(const std::vector<MicroBatch>& batches, std::int64_t most, Size size,
                                           const std::function<bool()>& give_up);

  /// The scores of the next token on all ranks of the pipeline, which call it together.
  /// @param stop     asked each time, where losses are known
  /// @param stopped  what it said, on all
  models::NextScores next_scores(std::int64_t capacity, std::function<bool()> stop, std::shared_ptr<bool> stopped);
  /// Called by all ranks when they need no more scores; returns when none does.
  void end_scores();

 private:
  Pipeline::Activations activations(Size size) const;
  bool any_busy(bool busy);
  // Forward passes; last(model, turn, hidden states, pass) where the model ends.
  using Last = std::function<void(const models::Model&, std::size_t, const at::Tensor&, const models::ForwardPass&)>;
  void run_forward(const std::vector<MicroBatch>& batches, std::int64_t most, Size size,
                   const std::function<bool()>& give_up, const Last& last);
  bool reads(const models::Model& chunk) const { return chunk.begins() || chunk.ends() || have_borders_; }
  /// The same, for all of this rank's chunks that read them.
  Source for_chunks(const Source& source) const;

  Communicator& world_;
  const models::PreferenceRule rule_;
  const std::unique_ptr<Communicator> alone_;  // where there is no pipeline
  const MeshShape shape_;
  Communicator &axis_, &data_;
  std::unique_ptr<models::Model> owned_;
  models::Model* whole_;
  RowLayout layout_;
  std::vector<models::Part> parts_;  // of all ranks
  Placement placement_;
  std::vector<std::unique_ptr<models::Model>> owned_chunks_;
  std::vector<models::Model*> chunks_;  // this rank's
  bool begins_ = true, ends_ = true, have_borders_ = false;
  std::unique_ptr<Pipeline> pipeline_;
  models::WeightAccess* access_ = nullptr;
};

}  // namespace trireme::train
