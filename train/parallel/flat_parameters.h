#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/comm/communicator.h"
#include "models/parameters.h"
#include "models/weight_access.h"
#include "train/parallel/placement.h"
#include "train/parallel/row_layout.h"
#include "train/parallel/shards.h"

namespace trireme::models {
class ModelSource;
}

namespace trireme::train {

/// How the ranks of a data axis share out what each of them would hold otherwise.
struct Sharing {
  Communicator* data = nullptr;  ///< outlives who is given it; null: one rank
  int group = 1;                 ///< Groups::size
  bool weights = false;          ///< what forward reads as well, not masters alone
};

/// Those of a model's weights that are trained and that a rank has. Places are those of the whole model's row,
/// RowLayout, wherever the numbers lie.
///
/// Masters are float32 (float64 for fp64). With bf16 compute a second row holds the rounded weights that forward reads.
/// Ranks may share the masters out (ZeRO stage 1: Rajbhandari et al. 2020, arXiv:1910.02054): then each changes those
/// of its own stretches alone, and publish() tells the others what forward reads of them. They may share out what
/// forward reads as well (stage 3): then it is there only while a pass has entered a part of the model, brought
/// together while the part before computes. And the stages of a pipeline may lie on different ranks: where the last one
/// reads the embedding of the first, it hears of it from there.
///
/// As WeightAccess: all ranks of a group enter and leave the same parts in the same order.
class FlatParameters final : public models::WeightAccess {
 public:
  using Entry = RowLayout::Entry;

  /// Binds parameters[i].value to this memory as leaves of autograd.
  FlatParameters(models::ParameterList& parameters, at::ScalarType compute_type, const Sharing& sharing = {});

  /// Of a rank of a pipeline: binds what `local` has, the parameters of this rank's stages.
  /// @param layout  of the whole model, whose parameters outlive this; entries() names the local ones instead, where
  ///                there are
  FlatParameters(RowLayout layout, const std::vector<models::ParameterList*>& local, Placement placement,
                 Communicator& pipeline, at::ScalarType compute_type, const Sharing& sharing);
  ~FlatParameters() override;
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
  const Groups& groups() const { return groups_; }
  bool is_shared_out() const { return groups_.size > 1; }
  /// Whether what forward reads is there only between enter() and leave().
  bool shares_weights() const { return shares_weights_; }

  void enter(std::string_view group, Pass pass) override;
  void leave(std::string_view group) override;

  /// The masters of one of own(): `count` elements.
  void* masters(const Stretch& stretch);
  /// Whole, where masters are not shared out and all stages are here.
  at::Tensor& masters() { return masters_; }
  /// The master weights of one entry, in the parameter's shape; likewise.
  at::Tensor master(const Entry& entry) const;

  /// Fills masters with initial values.
  void initialise(std::uint64_t seed);
  /// Reads what this rank owns of a model on disk, whose shape is this one's, into rows of its own.
  /// @param place  of a stretch: room for numbers in the masters' type
  void read(const models::ModelSource& source, const std::function<void*(const Stretch&)>& place) const;
  /// Fills masters with the weights of a model on disk, whose shape is this one's; each rank reads what it keeps.
  /// @param fresh  parameters that the source has not: they are drawn
  void initialise(const models::ModelSource& source, std::uint64_t seed, const std::set<std::string>& fresh);

  /// Makes what forward reads follow masters. Called by all ranks; the same as begin_publish(), for each stretch
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
  // What forward reads of a segment that is shared out.
  struct Gathered {
    at::Tensor row;  // always defined; without memory unless `is_here`
    bool is_here = false;
    int users = 0;
    std::vector<std::unique_ptr<Transfer>> under_way;
  };

  template <class Write>
  void fill(const std::function<void*(const Stretch&)>& place, const Write& write) const;
  int stage() const { return pipeline_ ? pipeline_->rank() : 0; }
  // Whether this rank reads weights of a segment that another stage keeps.
  bool is_borrowed(std::size_t segment) const { return placement_.reader[segment] == stage(); }
  std::int64_t offset_of(std::int64_t begin) const;
  void* row_at(std::int64_t begin);
  std::vector<int> peers() const;
  const Site& published_at(std::size_t segment) const;
  void send_to_peers(std::int64_t begin, std::int64_t count);
  std::size_t segment_of(std::string_view group) const;
  bool is_frozen(std::string_view group) const { return frozen_.contains(group); }
  void start_gathering(std::size_t segment);
  void give_back(std::size_t segment);
  void give_back_others(std::size_t segment);
  void end_passes();

  RowLayout layout_;
  Placement placement_;
  Communicator* pipeline_;  // null: all stages are here
  at::ScalarType master_type_, compute_type_;
  Communicator* data_;
  Groups groups_;
  bool shares_weights_;
  std::vector<std::int64_t> offset_;  // of each segment in the row, or -1
  std::vector<Bucket> buckets_;       // of the segments that are read here, where masters are shared out
  std::vector<Stretch> own_, borrowed_;
  std::int64_t own_size_ = 0;
  at::Tensor masters_;              // the row that forward reads itself, or own stretches alone
  at::Tensor row_;                  // what forward reads, unless that is shared out:
  std::vector<Gathered> gathered_;  // by segment
  std::map<std::string, std::size_t, std::less<>> segment_of_;  // by name of a part that is here
  std::set<std::string, std::less<>> frozen_;                   // parts without any weight that is trained
  at::Tensor borrowed_row_;                                     // own stretches of what another stage keeps
  std::vector<std::unique_ptr<Transfer>> under_way_, borrowing_;
  std::vector<at::Tensor> lent_;  // what is on its way to another stage
};

/// fp32 -> float32, bf16 -> bfloat16, fp64 -> float64
at::ScalarType compute_type(const std::string& precision);

}  // namespace trireme::train
