#include "train/parallel/pipeline.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <thread>

#include "core/base/error.h"

namespace trireme::train {
namespace {

// Activations go to the chunk that reads them under its number, gradients to the one that made what they belong to.
constexpr int kForwardTag = 0, kBackwardTag = 1000;

// So many messages are expected ahead of the action that reads them.
constexpr std::size_t kAhead = 2;

bool is_backward(Work work) { return work == Work::kBackward || work == Work::kBackwardInput; }

}  // namespace

Pipeline::~Pipeline() {
  // An error passes, and this process is about to end: until it has, messages are under way from and to these.
  if (!incoming_.empty()) new auto(std::move(incoming_));
  if (!outgoing_.empty()) new auto(std::move(outgoing_));
}

bool Pipeline::receives(const Action& action) const {
  return (action.work == Work::kForward && !is_first(action.chunk)) ||
         (is_backward(action.work) && !is_last(action.chunk));
}

void Pipeline::expect(const Action& action, const Activations& activations) {
  const bool onward = action.work == Work::kForward;
  const auto [place, is_new] = incoming_.try_emplace({onward, {action.chunk, action.micro_batch}});
  if (!is_new) return;
  Incoming& incoming = place->second;
  incoming.tensor = at::empty(activations.shape, activations.type);
  const int from = (axis_.rank() + axis_.size() + (onward ? -1 : 1)) % axis_.size();
  incoming.transfer = axis_.start_receive(incoming.tensor.mutable_data_ptr(), incoming.tensor.nbytes(), from,
                                          (onward ? kForwardTag : kBackwardTag) + action.chunk);
}

at::Tensor Pipeline::received(const Action& action, GradientReducer* reducer) {
  const auto place = incoming_.find({action.work == Work::kForward, {action.chunk, action.micro_batch}});
  // Gradients of this rank's other stages move on meanwhile.
  while (!place->second.transfer->done()) {
    if (reducer) reducer->poll();
    std::this_thread::yield();
  }
  at::Tensor tensor = std::move(place->second.tensor);
  incoming_.erase(place);
  return tensor;
}

void Pipeline::send(const at::Tensor& tensor, bool onward, int chunk) {
  while (!outgoing_.empty() && outgoing_.front().transfer->done()) outgoing_.pop_front();
  // The chunk that reads: the same on the next rank, and the one behind or before it where the ranks are all through.
  const int next = stage(chunk) + (onward ? 1 : -1);
  const int to = next % axis_.size(), their_chunk = next / axis_.size();
  Outgoing& outgoing = outgoing_.emplace_back();
  outgoing.tensor = tensor.contiguous();
  outgoing.transfer = axis_.start_send(outgoing.tensor.const_data_ptr(), outgoing.tensor.nbytes(), to,
                                       (onward ? kForwardTag : kBackwardTag) + their_chunk);
}

void Pipeline::run(const std::vector<Action>& actions, const Activations& activations, const Forward& forward,
                   const std::function<bool()>& give_up, GradientReducer* reducer) {
  const auto nothing = [&] { return at::zeros(activations.shape, activations.type); };
  bool given_up = false;
  for (std::size_t i = 0; i < actions.size(); ++i) {
    const Action& action = actions[i];
    const Key key{action.chunk, action.micro_batch};
    for (std::size_t j = i; j < std::min(actions.size(), i + 1 + kAhead); ++j)
      if (receives(actions[j])) expect(actions[j], activations);
    given_up = given_up || give_up();
    axis_.check();
    at::Tensor incoming;
    if (receives(action)) incoming = received(action, reducer);

    const auto skip = [&] { reducer->skip(*stages_[static_cast<std::size_t>(action.chunk)], action.micro_batch); };
    if (action.work == Work::kForward) {
      Passed passed;
      if (!given_up) {
        passed.input = incoming;
        if (incoming.defined() && at::GradMode::is_enabled()) passed.input.set_requires_grad(true);
        passed.output = forward(action.chunk, action.micro_batch, passed.input);
      }
      if (!is_last(action.chunk)) send(given_up ? nothing() : passed.output.detach(), /*onward=*/true, action.chunk);
      if (!given_up && at::GradMode::is_enabled()) passed_.emplace(key, std::move(passed));
    } else if (is_backward(action.work)) {
      at::Tensor input_gradient;
      // What was given up since its forward pass is dropped with all that it kept.
      if (auto node = passed_.extract(key); !given_up && node) {
        Passed passed = std::move(node.mapped());
        const auto backward = [&] {
          // Nothing but the graph itself keeps the output, which may be large.
          const at::Tensor output = std::exchange(passed.output, {});
          if (incoming.defined())
            output.backward(incoming);
          else
            output.backward();
        };
        if (action.work == Work::kBackward) {
          backward();
        } else {
          Split& split = split_[key];
          const models::PutOff::Scope scope(split.put_off);
          reducer->hold(&split.held);
          backward();
          reducer->hold(nullptr);
        }
        if (passed.input.defined()) input_gradient = passed.input.grad();
      } else if (action.work == Work::kBackward) {
        skip();
      }
      if (!is_first(action.chunk))
        send(input_gradient.defined() ? input_gradient : nothing(), /*onward=*/false, action.chunk);
    } else if (auto node = split_.extract(key); !given_up && node) {
      reducer->take(std::move(node.mapped().held), node.mapped().put_off.take());
    } else {
      skip();
    }
  }
  passed_.clear();
  split_.clear();
  for (; !outgoing_.empty(); outgoing_.pop_front())
    while (!outgoing_.front().transfer->done()) {
      if (reducer) reducer->poll();
      std::this_thread::yield();
    }
}

}  // namespace trireme::train
