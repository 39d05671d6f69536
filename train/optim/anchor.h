#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "core/comm/communicator.h"
#include "models/model_source.h"
#include "train/parallel/flat_parameters.h"
#include "train/parallel/shards.h"

namespace trireme::train {

/// Keeps weights near those that a run began with, against forgetting: the loss gains
/// strength / 2 * sum of importance * (weight - start)^2. Importance is 1 for all (L2-SP: Li et al. 2018,
/// arXiv:1802.01483), or the diagonal of the Fisher information on a corpus, scaled to a mean of 1 (EWC: Kirkpatrick et
/// al. 2017, arXiv:1612.00796).
///
/// Each rank does so for what it owns, element by element, so no bit depends on who owns what.
class Anchor {
 public:
  /// @param parameters  outlives this, as does `world`; all of its ranks make the same calls of those that say so
  /// @param units       what each rank answers for: see gradient_norm()
  Anchor(Communicator& world, FlatParameters& parameters, const std::vector<std::vector<Unit>>& units, double strength,
         bool measures_importance);

  /// Takes the weights of a model on disk for those to stay near to.
  void start_from(const models::ModelSource& source);

  /// The numbers from a place in the row of gradients on, to the end of its block.
  using Sums = std::function<const void*(std::int64_t begin)>;
  using MutableSums = std::function<void*(std::int64_t begin)>;

  /// Takes in one sum of gradients on the corpus: importance grows by its squares.
  void measure(const Sums& sums);
  /// Behind the last: scales importance to a mean of 1. Called by all ranks. @throws Error kNumeric when all is zero
  void end_measuring();

  /// Adds the penalty's gradient to sums of gradients. Called by all ranks. @returns the penalty
  double add_gradients(const MutableSums& sums);

  /// A row of FlatParameters::own_size() elements; undefined where it is 1 for all.
  at::Tensor& importance() { return importance_; }

 private:
  template <class Visit>
  void for_blocks(const Visit& visit);
  template <class Fill>
  double norm(const Fill& fill);

  Communicator& world_;
  FlatParameters& parameters_;
  const std::vector<std::vector<Unit>>& units_;
  const double strength_;
  at::Tensor start_, importance_;
};

}  // namespace trireme::train
