#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "core/comm/communicator.h"
#include "models/kernels/put_off.h"
#include "train/parallel/flat_parameters.h"
#include "train/parallel/fold.h"
#include "train/parallel/shards.h"

namespace trireme::train {

/// Sums the gradients of a step's micro-batches over all ranks in the one order of fold.h, while the backward pass of
/// the last micro-batch still runs.
///
/// The row of gradients is cut into buckets. When a rank has done the part of a bucket that it has to add up alone,
/// each rank sends every other rank its partial sums of that rank's unit; the owner of a unit adds them in tree order
/// and sends the sum to the ranks of other groups that keep it as well: to all where nothing is shared out. With runs
/// of micro-batches that happens once a step, with a ring's volume where runs form whole subtrees and a few partial
/// sums more where they do not; with turns, once a micro-batch, and between two of them a rank holds gradients of its
/// own units alone (ZeRO stage 2). Transfers advance whenever a gradient arrives: there is no second thread that would
/// take a core away.
class GradientReducer {
 public:
  /// Hooks into the leaves of `parameters`, which must outlive this object.
  /// @param world  the ranks that share the batch
  /// @param group  so many of them share sums out: see Groups
  GradientReducer(Communicator& world, FlatParameters& parameters, std::int64_t micro_batches, int group = 1,
                  Deal deal = Deal::kRuns);
  ~GradientReducer();
  GradientReducer(const GradientReducer&) = delete;
  GradientReducer& operator=(const GradientReducer&) = delete;

  /// This rank's micro-batches.
  const Share& share() const { return share_; }

  /// Starts a step. Of each parameter, the gradients that backward passes produce from here on belong to this rank's
  /// micro-batches in order. A rank that gives up a step leaves the rest out, or skips it, and calls finish() all the
  /// same: then the sum is of no use, but no peer waits.
  void begin_step();

  /// Gradients that came in order, to be taken later.
  using Held = std::vector<std::pair<std::size_t, at::Tensor>>;
  /// Until the next call, those of layers are put here instead; null: taken as they come.
  void hold(Held* held) { held_ = held; }
  /// Takes what was held, and the gradients of products that were put off with it: together those of one micro-batch.
  void take(Held held, std::vector<models::PutOff::Product> products);

  /// A micro-batch that is given up, the `turn`-th of this rank: those of the gradients of a part of the model that
  /// have not come will not.
  /// Or one that others have and this rank has not, where all go through as many.
  void skip(std::string_view group, std::int64_t turn);

  /// Gives transfers a chance to move. @throws Error kPeerLost
  void poll();

  /// Waits for all buckets. Tied gradients are then added to what they are tied to. @throws Error kPeerLost
  void finish();

  /// Behind finish() and until the next begin_step(): the sum over all micro-batches of the element at `begin` of the
  /// row of weights and of those behind it, up to the end of its block, in the masters' type. Of what this rank keeps.
  const void* sum(std::int64_t begin) const;
  /// The same, to be changed: by every rank that keeps it, alike.
  void* sum(std::int64_t begin) { return const_cast<void*>(std::as_const(*this).sum(begin)); }
  /// All sums of the row of weights, a copy.
  at::Tensor sums() const;

  /// Bytes that this object holds beside the weights.
  std::int64_t memory_bytes() const;

 private:
  struct Exchange;
  struct Hook;
  void accumulate(std::size_t entry, const at::Tensor& gradient);
  void complete(std::size_t bucket);
  void go_along(std::string_view group, std::size_t turn);
  at::Tensor zeros(const Bucket& bucket) const;
  bool ends_round(std::size_t turn) const;
  void start(std::size_t bucket);
  void advance(Exchange& bucket);
  void add_up(Exchange& bucket);
  void end_round(Exchange& bucket);
  template <class Condition>
  void wait_until(const Site& site, Condition condition);
  void exchange_tied();
  void add_tied();
  std::size_t bucket_at(std::int64_t begin) const;
  const at::Tensor& sum_of(const Exchange& bucket, std::int64_t begin) const;
  std::byte* place(at::Tensor& row, const Bucket& bucket, std::int64_t begin) const;

  Communicator& world_;
  FlatParameters& parameters_;
  const Groups groups_;
  const bool in_turns_;
  const std::int64_t item_;  ///< bytes of an element
  const Share share_;
  const LocalFold local_;  ///< of what this rank adds up alone: its run, or one leaf
  const std::vector<Round> rounds_;
  std::vector<Exchange> buckets_;
  at::Tensor given_up_;                          ///< zeros
  std::vector<std::size_t> under_way_;           ///< buckets that are being exchanged, in the order of their start
  std::vector<std::size_t> arrived_;             ///< of each entry, how many gradients of this step
  std::map<const void*, std::size_t> entry_of_;  ///< by leaf
  Held* held_ = nullptr;
  std::vector<at::Tensor> from_pipeline_;  ///< sums of tied gradients that another stage has added up
  std::vector<std::unique_ptr<Transfer>> tied_under_way_;
};

}  // namespace trireme::train
