#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "core/comm/communicator.h"
#include "train/parallel/flat_parameters.h"
#include "train/parallel/fold.h"

namespace trireme::train {

/// Sums the gradients of a step's micro-batches over all ranks in the one order of fold.h, while the backward pass of
/// the last micro-batch still runs.
///
/// The row of gradients is cut into buckets. When a rank's last micro-batch has finished a bucket, each rank sends
/// every other rank that rank's part of its few partial sums; the owner of a part adds them in tree order and sends the
/// result to all. That is a ring's volume where each rank's micro-batches form whole subtrees, and a few partial sums
/// more where they do not. Transfers advance whenever a gradient arrives: there is no second thread that would take a
/// core away.
class GradientReducer {
 public:
  /// Hooks into the leaves of `parameters`, which must outlive this object.
  GradientReducer(Communicator& world, FlatParameters& parameters, std::int64_t micro_batches);
  ~GradientReducer();
  GradientReducer(const GradientReducer&) = delete;
  GradientReducer& operator=(const GradientReducer&) = delete;

  /// This rank's micro-batches: [first, second).
  std::pair<std::int64_t, std::int64_t> share() const { return share_; }

  /// Starts a step.
  void begin_step();
  /// Gradients that backward passes produce from now on belong to this micro-batch, in order, first to last. A rank
  /// that gives up a step leaves the rest out and calls finish() all the same: then the sum is of no use, but no peer
  /// waits.
  void begin(std::int64_t micro_batch) { current_ = micro_batch; }
  /// To be called after the backward pass of a micro-batch.
  void end();

  /// Waits for all buckets. @returns the sum over all micro-batches, tied gradients added to what they are tied to: the
  /// first parameters.size() elements count; valid until the next begin_step(). @throws Error kPeerLost
  at::Tensor& finish();

  /// Bytes that this object holds beside the weights.
  std::int64_t memory_bytes() const;

 private:
  struct Bucket;
  struct Hook;
  void accumulate(std::size_t entry, const at::Tensor& gradient);
  void start(std::size_t bucket);
  void advance(Bucket& bucket);
  void poll();

  Communicator& world_;
  FlatParameters& parameters_;
  std::pair<std::int64_t, std::int64_t> share_;
  LocalFold local_;
  GlobalFold global_;
  std::vector<std::size_t> first_node_;  ///< of each rank in the global fold; one past the last at the end
  std::vector<at::Tensor> buffers_;      ///< partial sums, each a whole row
  at::Tensor reduced_;
  std::vector<Bucket> buckets_;
  std::vector<std::size_t> under_way_;  ///< buckets that are being exchanged, in the order of their start
  std::int64_t current_ = -1;           ///< micro-batch whose gradients arrive
};

}  // namespace trireme::train
