#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "core/comm/site.h"
#include "models/activations.h"
#include "models/model.h"
#include "train/config/train_config.h"
#include "train/parallel/fold.h"
#include "train/parallel/mesh.h"
#include "train/parallel/pipeline_schedule.h"
#include "train/parallel/placement.h"
#include "train/parallel/row_layout.h"
#include "train/parallel/shards.h"

namespace trireme::train {

/// What a rank holds at most, in bytes. Beside it is the program itself: libraries, and what MPI has of its own.
struct MemoryPlan {
  double weights = 0;  ///< that forward reads; where they are shared out, of the parts that are there at a time
  double masters = 0;  ///< where those are other numbers
  double moments = 0;
  double average = 0;
  double anchor = 0;       ///< of finetune.penalty: the start, and importance
  double gradients = 0;    ///< partial sums and sums
  double activations = 0;  ///< of the micro-batches in flight, from forward to backward
  double saving = 0;       ///< the copy of what the rank writes of a checkpoint
  double passing = 0;      ///< the most that comes and goes: a layer's gradients, logits, what is under way
  /// Not their sum: sums of gradients may come as activations go.
  double peak = 0;
};

/// What a rank sends a step from one site, in bytes.
struct TrafficPlan {
  const Site* site = nullptr;
  Axis axis = Axis::kData;
  double bytes = 0;
};

/// What ranks are made of.
struct Target {
  double peak_flops = 0;  ///< operations a second of a rank; 0: not known
  double bandwidth = 0;   ///< bytes a second that a rank sends; 0: not known, which one rank alone need not
};

struct LayoutPlan {
  MeshShape shape;
  std::vector<models::Part> stages;
  const PipelineSchedule* schedule = nullptr;  ///< where there are several stages: the planner's, which outlives this
  MemoryPlan memory;                           ///< of the rank with the highest peak
  std::vector<TrafficPlan> traffic;            ///< of the rank that sends most
  /// Where the target is known. A rank computes at its peak and sends what it sends beside that: on processors the
  /// cores that compute also move messages, so neither hides the other.
  std::optional<double> step_seconds, mfu;

  double bubble() const { return schedule ? schedule->bubble : 0; }
  double bytes_along(Axis axis) const;
  double bytes() const;  ///< along all
};

/// What layouts of one run come to, without any of them: a function of sizes. Shapes of tensors are those of the real
/// model, whose weights need no memory for that.
class Planner {
 public:
  /// @throws Error kUsage  for a model that cannot be
  Planner(const TrainConfig& config, std::int64_t vocabulary);

  models::Model& model() { return *model_; }
  const RowLayout& layout() const { return layout_; }
  /// @param parallel  instead of the config's
  /// @throws Error kUsage  for a layout that cannot be
  LayoutPlan plan(const ParallelConfig& parallel, int ranks, const Target& target = {});

 private:
  struct Sizes;
  struct Stages {
    std::vector<models::Part> parts;
    Placement placement;
    std::vector<double> work;  // operations of a micro-batch on each rank of the pipeline
  };
  // How gradients are added up on so many data ranks.
  struct Folding {
    std::vector<Round> rounds;
    std::vector<double> sent;  // partial sums that each rank sends of what others add up
    double buffers = 0;        // of a rank's own run, at most
  };
  const Stages& stages_of(int ranks, int chunks);
  double frozen_of(const models::Part& part);
  const std::vector<Bucket>& buckets(int ranks);
  const Folding& folding(int ranks, Deal deal);
  const PipelineSchedule& schedule(const PipelineShape& shape);
  Sizes sizes_of(const ParallelConfig& parallel, const MeshShape& shape, const Stages& stages, int stage);
  MemoryPlan memory(const ParallelConfig& parallel, const MeshShape& shape, const Sizes& sizes, std::int64_t in_flight);
  std::vector<TrafficPlan> traffic(const ParallelConfig& parallel, const MeshShape& shape, const Stages& stages,
                                   const Sizes& sizes, int stage, int rank);

  const TrainConfig config_;
  const std::unique_ptr<models::Model> model_;
  const RowLayout layout_;
  const models::ActivationBytes pass_;  // of a micro-batch, in any layout
  // Asked for again by other layouts.
  std::map<std::pair<int, int>, Stages> stages_;
  std::map<int, std::vector<Bucket>> buckets_;
  std::map<std::pair<int, Deal>, Folding> foldings_;
  std::map<std::tuple<int, int, std::int64_t, PipelineOrder>, PipelineSchedule> schedules_;
};

}  // namespace trireme::train
