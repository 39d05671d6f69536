#pragma once
#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/comm/communicator.h"
#include "train/config/train_config.h"
#include "train/loop/engine.h"

/// A training so small that it can be made in every layout: what self-check compares.
namespace trireme::train {

/// Models that layouts take turns with: family, precision, what is computed twice.
inline constexpr std::size_t kTinyModels = 12;
TrainConfig tiny_config(std::size_t model, int ranks);
/// Numbers that tell families, precisions and kinds of recompute apart.
std::vector<std::int64_t> tiny_model_traits(std::size_t model);
/// "llama bf16, recompute selective"
std::string tiny_model_text(std::size_t model);

/// How far two runs were from each other: the largest difference of any step's loss, of the norm and the elements of
/// its last gradient, of what a checkpoint would hold, of the loss of texts that it has not seen, and of the scores of
/// what comes next.
struct Difference {
  double loss = 0, norm = 0, gradient = 0, state = 0, evaluation = 0, scores = 0;
  static constexpr double Difference::* kMembers[] = {&Difference::loss,       &Difference::norm,
                                                      &Difference::gradient,   &Difference::state,
                                                      &Difference::evaluation, &Difference::scores};
  bool is_none() const;
};

/// A run of some steps, as this rank sees it.
class TinyRun {
 public:
  /// Makes it, together with all ranks of `world`. @throws Error kPeerLost, and what training throws
  TinyRun(Communicator& world, const TrainConfig& config, std::int64_t steps);
  TinyRun(const TinyRun&) = delete;
  TinyRun& operator=(const TinyRun&) = delete;

  /// From one that a rank has made alone; called by all ranks, and the same on all.
  Difference from(TinyRun& alone);

 private:
  Communicator& world_;
  Engine engine_;
  std::vector<double> losses_, norms_;
  double evaluation_ = 0;
  at::Tensor scores_;
};

}  // namespace trireme::train
