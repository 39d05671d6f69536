#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/comm/communicator.h"
#include "models/parameters.h"
#include "train/parallel/placement.h"
#include "train/parallel/row_layout.h"
#include "train/parallel/shards.h"

namespace trireme::train {

/// Those of a model's weights that a rank has, in one row of memory. Places are those of the whole model's row,
/// RowLayout, wherever the numbers lie.
///
/// Masters are float32 (float64 for fp64). With bf16 compute a second row holds the rounded weights that forward reads.
/// Ranks may share the masters out (ZeRO stage 1: Rajbhandari et al. 2020, arXiv:1910.02054): then each changes those
/// of its own stretches alone, and publish() tells the others what forward reads of them. And the stages of a pipeline
/// may lie on different ranks: where the last one reads the embedding of the first, it hears of it in the same way.
class FlatParameters {
 public:
  using Entry = RowLayout::Entry;

  /// Binds parameters[i].value to this memory as leaves of autograd.
  /// @param owners  the ranks that share the masters out, which outlive this object; null: each has all
  FlatParameters(models::ParameterList& parameters, at::ScalarType compute_type, Communicator* owners = nullptr);

  /// Of a rank of a pipeline: binds what `local` has, the parameters of this rank's stages.
  /// @param layout  of the whole model, whose parameters outlive this; entries() names the local ones instead, where
  ///                there are
  /// @param owners  of this rank's segments
  FlatParameters(RowLayout layout, const std::vector<models::ParameterList*>& local, Placement placement,
                 Communicator& pipeline, at::ScalarType compute_type, Communicator* owners);
  ~FlatParameters();
  FlatParameters(const FlatParameters&) = delete;
  FlatParameters& operator=(const FlatParameters&) = delete;

  const RowLayout& layout() const { return layout_; }
  const std::vector<Entry>& entries() const { return layout_.entries; }
  const Placement& placement() const { return placement_; }
  /// The ranks of the pipeline; null where there is one.
  Communicator* pipeline() const { return pipeline_; }
  /// Whether this rank adds up the gradients of a segment, by its number, and keeps its weights unless it is tied.
  bool is_here(std::size_t segment) const { return placement_.home[segment] == stage(); }
  /// Elements of the row of weights, and of the row of gradients, of the whole model.
  std::int64_t size() const { return layout_.size; }
  std::int64_t gradient_size() const { return layout_.gradient_size; }

  at::ScalarType master_type() const { return master_type_; }
  at::ScalarType compute_type() const { return compute_type_; }

  /// What this rank owns, in the order of the row; all of it unless masters are shared out. Stretch::at is the place
  /// in rows of own_size() elements, in which the optimizer keeps its state.
  const std::vector<Stretch>& own() const { return own_; }
  std::int64_t own_size() const { return own_size_; }
  bool is_shared_out() const { return owners_ != nullptr; }

  /// The masters of one of own(): `count` elements.
  void* masters(const Stretch& stretch);
  /// Whole, where masters are not shared out and all stages are here.
  at::Tensor& masters() { return masters_; }
  /// The master weights of one entry, in the parameter's shape; likewise.
  at::Tensor master(const Entry& entry) const;

  /// Fills masters with initial values.
  void initialise(std::uint64_t seed);

  /// Makes what forward reads follow masters. Called by all owners; the same as begin_publish(), for each stretch
  /// round() and publish(), end_publish().
  void publish();
  /// In parts, so that ranks hear of the first stretches while the last ones still change. No forward pass may run
  /// between begin and end.
  void begin_publish();
  /// With bf16 compute rounds masters into what forward reads: any part of own(), from any thread.
  void round(std::int64_t begin, const void* masters, std::int64_t count);
  /// Tells the others of one of own(), after round().
  void publish(const Stretch& stretch);
  void end_publish();

 private:
  int stage() const { return pipeline_ ? pipeline_->rank() : 0; }
  // Whether this rank reads weights of a segment that another stage keeps.
  bool is_borrowed(std::size_t segment) const { return placement_.reader[segment] == stage(); }
  std::int64_t offset_of(std::int64_t begin) const;
  void* row_at(std::int64_t begin);
  void send_to_owners(std::int64_t begin, std::int64_t count);

  RowLayout layout_;
  Placement placement_;
  Communicator* pipeline_;  // null: all stages are here
  at::ScalarType master_type_, compute_type_;
  Communicator* owners_;              // null: masters are not shared out
  std::vector<std::int64_t> offset_;  // of each segment in the rows, or -1
  std::vector<Bucket> buckets_;       // of the owners: of the segments that are read here
  std::vector<Stretch> own_, borrowed_;
  std::int64_t own_size_ = 0;
  at::Tensor masters_;  // the row that forward reads itself, or own stretches alone
  at::Tensor row_;      // what forward reads
  std::vector<std::unique_ptr<Transfer>> under_way_, borrowing_;
};

/// fp32 -> float32, bf16 -> bfloat16, fp64 -> float64
at::ScalarType compute_type(const std::string& precision);

}  // namespace trireme::train
