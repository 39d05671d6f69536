#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "core/comm/communicator.h"
#include "train/parallel/flat_parameters.h"
#include "train/parallel/fold.h"
#include "train/parallel/shards.h"

namespace trireme::train {

/// Sums the gradients of a step's micro-batches over all ranks in the one order of fold.h, while the backward pass of
/// the last micro-batch still runs.
///
/// The row of gradients is cut into buckets. When a rank has done the part of a bucket that it has to add up alone,
/// each rank sends every other rank its partial sums of that rank's unit; the owner of a unit adds them in tree order
/// and, where all are to have the sum, sends it to them. With runs of micro-batches that happens once a step, with a
/// ring's volume where runs form whole subtrees and a few partial sums more where they do not; with turns, once a
/// micro-batch, and between two of them a rank holds gradients of its own units alone (ZeRO stage 2). Transfers advance
/// whenever a gradient arrives: there is no second thread that would take a core away.
class GradientReducer {
 public:
  /// Who has a sum in the end: all ranks, or the owner of each unit alone.
  enum class Reach { kAll, kOwners };

  /// Hooks into the leaves of `parameters`, which must outlive this object.
  /// @param deal  with turns, owners alone have the sums
  GradientReducer(Communicator& world, FlatParameters& parameters, std::int64_t micro_batches,
                  Reach reach = Reach::kAll, Deal deal = Deal::kRuns);
  ~GradientReducer();
  GradientReducer(const GradientReducer&) = delete;
  GradientReducer& operator=(const GradientReducer&) = delete;

  /// This rank's micro-batches.
  const Share& share() const { return share_; }

  /// Starts a step.
  void begin_step();
  /// Gradients that backward passes produce from now on belong to this micro-batch, in order, first to last. A rank
  /// that gives up a step leaves the rest out and calls finish() all the same: then the sum is of no use, but no peer
  /// waits.
  void begin(std::int64_t micro_batch) { current_ = micro_batch; }
  /// To be called after the backward pass of a micro-batch.
  void end();

  /// Waits for all buckets. Tied gradients are then added to what they are tied to. @throws Error kPeerLost
  void finish();

  /// Behind finish() and until the next begin_step(): the sum over all micro-batches of the element at `begin` of the
  /// row of weights and of those behind it, up to the end of its block, in the masters' type. Of other ranks' units
  /// where all have the sum.
  const void* sum(std::int64_t begin) const;
  /// All sums of the row of weights, a copy.
  at::Tensor sums() const;
  /// The units of the row of weights, of each rank.
  std::vector<std::vector<Unit>> units() const;

  /// Bytes that this object holds beside the weights.
  std::int64_t memory_bytes() const;

 private:
  struct Exchange;
  struct Hook;
  void accumulate(std::size_t entry, const at::Tensor& gradient);
  at::Tensor zeros(const Bucket& bucket) const;
  bool ends_round() const;
  void start(std::size_t bucket);
  void advance(Exchange& bucket);
  void add_up(Exchange& bucket);
  void end_round(Exchange& bucket);
  void poll();
  void add_tied();
  std::size_t bucket_at(std::int64_t begin) const;
  std::byte* place(at::Tensor& row, const Bucket& bucket, std::int64_t begin) const;

  Communicator& world_;
  FlatParameters& parameters_;
  const Reach reach_;
  const bool in_turns_;
  const std::int64_t item_;  ///< bytes of an element
  const Share share_;
  const LocalFold local_;  ///< of what this rank adds up alone: its run, or one leaf
  const std::vector<Round> rounds_;
  std::vector<Exchange> buckets_;
  at::Tensor given_up_;                 ///< zeros
  std::vector<std::size_t> under_way_;  ///< buckets that are being exchanged, in the order of their start
  std::int64_t current_ = -1;           ///< micro-batch whose gradients arrive
};

}  // namespace trireme::train
