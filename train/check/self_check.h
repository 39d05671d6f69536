#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/comm/communicator.h"
#include "core/config/field.h"
#include "train/config/train_config.h"

namespace trireme::train {

/// What `trireme-train self-check` is told.
struct SelfCheckOptions {
  bool all = false;
  std::int64_t steps = 3;
  bool json = false;

  static constexpr auto fields() {
    using C = SelfCheckOptions;
    return std::tuple{
        Field{
            "all", &C::all,
            "every layout with every model family, precision and recompute; else each layout with one of them in turn"},
        Field{"steps", &C::steps, "optimizer steps of each", Range(1, 1e6)},
        Field{"json", &C::json, "the result as one JSON object on stdout"}};
  }
};

/// How far a layout was from one rank: the largest difference of any step's loss, of the norm and the elements of its
/// gradient, of the weights in the end, and of an evaluation with them. All are to be 0.
struct Difference {
  double loss = 0, norm = 0, gradient = 0, weights = 0, evaluation = 0;
  bool is_none() const { return loss == 0 && norm == 0 && gradient == 0 && weights == 0 && evaluation == 0; }
};

struct CheckedLayout {
  std::string layout;  ///< layout_text
  std::string model;   ///< family, precision, what is computed twice
  Difference difference;
};

/// Trains a tiny model in every layout that the ranks of `world` can have, and on one rank, and compares. Called by all
/// ranks, and the same on all. @throws Error kPeerLost, and what training throws
std::vector<CheckedLayout> self_check(Communicator& world, const SelfCheckOptions& options);

/// The same as a table on stdout of rank 0, a line a layout as it comes. @returns the exit status: 1 when any differs
int run_self_check(Communicator& world, const SelfCheckOptions& options);

}  // namespace trireme::train
