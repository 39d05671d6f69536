#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/comm/communicator.h"
#include "models/kernels/put_off.h"
#include "models/weight_access.h"
#include "train/parallel/gradient_reducer.h"
#include "train/parallel/pipeline_schedule.h"

namespace trireme::train {

/// Takes micro-batches through the stages of a pipeline: what goes from one to the next, forward and back, in the order
/// of a schedule. One rank alone is the same code.
class Pipeline {
 public:
  /// The forward pass of one of this rank's stages. `input` [B, T, C] is what the stage before returned, undefined on
  /// the first. Returns [B, T, C], on the last stage a scalar: the loss.
  using Forward = std::function<at::Tensor(int chunk, std::int64_t micro_batch, const at::Tensor& input)>;

  /// @param axis    the ranks of the pipeline, which outlive this
  /// @param stages  parameters of this rank's stages, likewise; all ranks have as many
  Pipeline(Communicator& axis, std::vector<const models::ParameterList*> stages);
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  bool is_first(int chunk) const { return axis_.rank() == 0 && chunk == 0; }
  bool is_last(int chunk) const {
    return axis_.rank() + 1 == axis_.size() && chunk + 1 == static_cast<int>(stages_.size());
  }

  /// What passes between stages: [B, T, C] in this type.
  struct Activations {
    std::vector<std::int64_t> shape;
    at::ScalarType type;
  };

  /// Does this rank's actions. Called by all ranks of the pipeline.
  /// @param turns    micro-batches that this rank and its pipeline have; where there are actions of more, other
  ///                 pipelines have, and this one only enters what they do
  /// @param access   of the weights; null where they are always there
  /// @param give_up  asked before each action: once it is true this rank computes nothing any more, and only hands on
  ///                 what its neighbours wait for, numbers of no use
  /// @param reducer  gets the gradients; null where there are none
  /// @throws Error kPeerLost
  void run(const std::vector<Action>& actions, std::int64_t turns, const Activations& activations,
           const Forward& forward, models::WeightAccess* access, const std::function<bool()>& give_up,
           GradientReducer* reducer);

 private:
  using Key = std::pair<int, std::int64_t>;  // chunk and micro-batch
  struct Passed {
    at::Tensor input, output;
  };
  struct Split {
    GradientReducer::Held held;
    models::PutOff put_off;
  };
  struct Message {
    at::Tensor tensor;
    const Site* site = nullptr;
    std::unique_ptr<Transfer> transfer;
  };

  // A part of the model as passes enter it.
  struct Entered {
    std::string group;
    bool is_layer = false;
    bool backward = true;  ///< entered in the backward pass too
  };

  void follow(const Action& action, models::WeightAccess* access, GradientReducer* reducer) const;
  bool receives(const Action& action) const;
  void expect(const Action& action, const Activations& activations);
  at::Tensor received(const Action& action, GradientReducer* reducer);
  void send(const at::Tensor& tensor, bool onward, int chunk);
  int stage(int chunk) const { return chunk * axis_.size() + axis_.rank(); }

  Communicator& axis_;
  const std::vector<const models::ParameterList*> stages_;
  std::vector<std::vector<Entered>> entered_;  // by chunk, in order of the forward pass
  std::map<Key, Passed> passed_;
  std::map<Key, Split> split_;
  std::map<std::pair<bool, Key>, Message> incoming_;  // forward or not
  std::deque<Message> outgoing_;
};

}  // namespace trireme::train
