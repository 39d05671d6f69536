#include "train/parallel/pipeline.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <thread>

#include "core/base/error.h"
#include "core/base/trace.h"
#include "train/parallel/sites.h"

namespace trireme::train {
namespace {

// Activations go to the chunk that reads them under its number, gradients to the one that made what they belong to.
Tag tag_of(bool onward, int chunk) { return {onward ? kActivations : kActivationGradients, chunk}; }

// So many messages are expected ahead of the action that reads them.
constexpr std::size_t kAhead = 2;

// Gradients of this rank's other stages move on meanwhile.
void wait_for(Transfer& transfer, const Site& site, GradientReducer* reducer) {
  if (transfer.done()) return;
  const TraceSpan span(kTraceWait, site.name());
  while (!transfer.done()) {
    if (reducer) reducer->poll();
    std::this_thread::yield();
  }
}

const char* name_of(Work work) {
  switch (work) {
    case Work::kForward:
      return "forward";
    case Work::kBackward:
      return "backward";
    case Work::kBackwardInput:
      return "backward of inputs";
    case Work::kBackwardWeight:
      return "backward of weights";
  }
  return "";
}

bool is_backward(Work work) { return work == Work::kBackward || work == Work::kBackwardInput; }

}  // namespace

Pipeline::Pipeline(Communicator& axis, std::vector<const models::ParameterList*> stages)
    : axis_(axis), stages_(std::move(stages)), entered_(stages_.size()) {
  for (std::size_t chunk = 0; chunk < stages_.size(); ++chunk)
    for (const models::Parameter& parameter : stages_[chunk]->all()) {
      if (parameter.frozen) continue;  // always there
      const std::string group(models::group_of(parameter.name));
      const bool table = parameter.role == models::Role::kTable;
      // The last stage has the embedding for the head that is tied to it.
      if (table && !is_first(static_cast<int>(chunk))) continue;
      if (auto& entered = entered_[chunk]; entered.empty() || entered.back().group != group)
        entered.push_back({group, group.starts_with("blocks."), !table && group != "head"});
    }
}

Pipeline::~Pipeline() {
  // An error passes, and this process is about to end: until it has, messages are under way from and to these.
  if (!incoming_.empty()) new auto(std::move(incoming_));
  if (!outgoing_.empty()) new auto(std::move(outgoing_));
}

// Does together with other ranks what an action would, in the same order, and computes nothing: enters and leaves
// weights that are shared out, and lets gradients go that will not come.
void Pipeline::follow(const Action& action, models::WeightAccess* access, GradientReducer* reducer) const {
  const std::vector<Entered>& parts = entered_[static_cast<std::size_t>(action.chunk)];
  const auto pass = [&](const Entered& part, models::WeightAccess::Pass pass) {
    if (!access) return;
    access->enter(part.group, pass);
    access->leave(part.group);
  };
  if (action.work == Work::kForward) {
    for (const Entered& part : parts) pass(part, models::WeightAccess::Pass::kForward);
    return;
  }
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    if (is_backward(action.work) && part->backward) pass(*part, models::WeightAccess::Pass::kBackward);
    const bool now = action.work == Work::kBackward || part->is_layer == (action.work == Work::kBackwardWeight);
    if (reducer && now) reducer->skip(part->group, action.micro_batch);
  }
}

bool Pipeline::receives(const Action& action) const {
  return (action.work == Work::kForward && !is_first(action.chunk)) ||
         (is_backward(action.work) && !is_last(action.chunk));
}

void Pipeline::expect(const Action& action, const Activations& activations) {
  const bool onward = action.work == Work::kForward;
  const auto [place, is_new] = incoming_.try_emplace({onward, {action.chunk, action.micro_batch}});
  if (!is_new) return;
  Message& incoming = place->second;
  incoming.tensor = at::empty(activations.shape, activations.type);
  const int from = (axis_.rank() + axis_.size() + (onward ? -1 : 1)) % axis_.size();
  const Tag tag = tag_of(onward, action.chunk);
  incoming.site = tag.site;
  incoming.transfer = axis_.start_receive(incoming.tensor.mutable_data_ptr(), incoming.tensor.nbytes(), from, tag);
}

at::Tensor Pipeline::received(const Action& action, GradientReducer* reducer) {
  const auto place = incoming_.find({action.work == Work::kForward, {action.chunk, action.micro_batch}});
  wait_for(*place->second.transfer, *place->second.site, reducer);
  at::Tensor tensor = std::move(place->second.tensor);
  incoming_.erase(place);
  return tensor;
}

void Pipeline::send(const at::Tensor& tensor, bool onward, int chunk) {
  while (!outgoing_.empty() && outgoing_.front().transfer->done()) outgoing_.pop_front();
  // The chunk that reads: the same on the next rank, and the one behind or before it where the ranks are all through.
  const int next = stage(chunk) + (onward ? 1 : -1);
  const int to = next % axis_.size(), their_chunk = next / axis_.size();
  Message& outgoing = outgoing_.emplace_back();
  outgoing.tensor = tensor.contiguous();
  const Tag tag = tag_of(onward, their_chunk);
  outgoing.site = tag.site;
  outgoing.transfer = axis_.start_send(outgoing.tensor.const_data_ptr(), outgoing.tensor.nbytes(), to, tag);
}

void Pipeline::run(const std::vector<Action>& actions, std::int64_t turns, const Activations& activations,
                   const Forward& forward, models::WeightAccess* access, const std::function<bool()>& give_up,
                   GradientReducer* reducer) {
  const auto nothing = [&] { return at::zeros(activations.shape, activations.type); };
  bool given_up = false;
  for (std::size_t i = 0; i < actions.size(); ++i) {
    const Action& action = actions[i];
    const Key key{action.chunk, action.micro_batch};
    for (std::size_t j = i; j < std::min(actions.size(), i + 1 + kAhead); ++j)
      if (actions[j].micro_batch < turns && receives(actions[j])) expect(actions[j], activations);
    axis_.check();
    if (action.micro_batch >= turns) {
      follow(action, access, access ? reducer : nullptr);
      continue;
    }
    given_up = given_up || give_up();
    at::Tensor incoming;
    if (receives(action)) incoming = received(action, reducer);
    const TraceSpan span(kTraceCompute, name_of(action.work),
                         {{{"micro-batch", action.micro_batch}, {"chunk", action.chunk}}});

    if (action.work == Work::kForward) {
      Passed passed;
      if (!given_up) {
        passed.input = incoming;
        if (incoming.defined() && at::GradMode::is_enabled()) passed.input.set_requires_grad(true);
        passed.output = forward(action.chunk, action.micro_batch, passed.input);
      } else {
        follow(action, access, reducer);
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
      } else {
        follow(action, access, reducer);
      }
      if (!is_first(action.chunk))
        send(input_gradient.defined() ? input_gradient : nothing(), /*onward=*/false, action.chunk);
    } else if (auto node = split_.extract(key); !given_up && node) {
      reducer->take(std::move(node.mapped().held), node.mapped().put_off.take());
    } else {
      follow(action, access, reducer);
    }
  }
  passed_.clear();
  split_.clear();
  for (; !outgoing_.empty(); outgoing_.pop_front())
    wait_for(*outgoing_.front().transfer, *outgoing_.front().site, reducer);
}

}  // namespace trireme::train
