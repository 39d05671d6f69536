#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/comm/communicator.h"
#include "core/config/field.h"
#include "train/check/tiny_run.h"

namespace trireme::train {

/// What `trireme-train self-check` is told.
struct SelfCheckOptions {
  bool all = false;
  bool pairs = false;
  std::int64_t steps = 3;
  bool fail_fast = false;
  double patience = 60;
  std::string plant = "none";
  bool sites = false;
  bool json = false;

  static constexpr auto fields() {
    using C = SelfCheckOptions;
    return std::tuple{
        Field{"all", &C::all,
              "every layout with every model family, fp32 and bf16, and recompute; else each layout with one of them "
              "in turn"},
        Field{"pairs", &C::pairs,
              "fewer: only so many layouts and models that every two settings that can be together are together once"},
        Field{"steps", &C::steps, "optimizer steps of each", Range(1, 1e6)},
        Field{"fail-fast", &C::fail_fast, "end at the first layout that differs"},
        Field{"patience", &C::patience, "seconds that a message may take before the check ends as failed",
              Range(0.01, 1e6)},
        Field{"plant", &C::plant,
              "SITE:FAULT, to see the check fail: what goes wrong with all messages of a site (--sites lists them): "
              "skip, wrong-group or twice; or none"},
        Field{"sites", &C::sites,
              "print where tensors and sums travel between ranks, a name a line, and check nothing"},
        Field{"json", &C::json, "the result as one JSON object on stdout"}};
  }
};

struct CheckedLayout {
  std::string layout;  ///< layout_text
  std::string model;   ///< tiny_model_text
  Difference difference;
};

struct SelfCheck {
  std::vector<CheckedLayout> layouts;
  bool struck = false;  ///< a message of the planted fault's site has come by on this rank
};

/// Trains a tiny model in every layout that the ranks of `world` can have, and on one rank, and compares. Called by all
/// ranks, and the same on all.
/// @throws Error kIo where a message does not come, naming site, rank and layout; kUsage for a fault that is none;
///         kPeerLost
SelfCheck self_check(Communicator& world, const SelfCheckOptions& options);

/// The same as a table on stdout of rank 0, a line a layout as it comes. @returns the exit status: 1 when any differs
int run_self_check(Communicator& world, const SelfCheckOptions& options);

}  // namespace trireme::train
