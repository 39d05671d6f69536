#include "models/layers/recompute.h"

#include <ATen/core/grad_mode.h>

#include "models/kernels/held.h"
#include "models/kernels/kept.h"

namespace trireme::models {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Replay {
  std::function<at::Tensor(const at::Tensor&)> part;
  Kept kept;
  bool last_is_read;
};

struct Recomputed : torch::autograd::Function<Recomputed> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, Replay replay) {
    const at::Tensor y = [&] {
      const Kept::Scope scope(&replay.kept);
      return replay.part(x);  // autograd is off in here: nothing is kept but by us
    }();
    if (!replay.last_is_read) replay.kept.drop_last();
    replay.kept.start_replay();
    context->save_for_backward({x});
    hold(context, std::move(replay));
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& outer) {
    const at::AutoGradMode with_gradients(true);
    auto& replay = held<Replay>(context);
    const at::Tensor x = context->get_saved_variables()[0].detach().requires_grad_(true);
    const at::Tensor y = [&] {
      const Kept::Scope scope(&replay.kept);
      return replay.part(x);
    }();
    replay.kept.end_replay();
    y.backward(outer[0]);  // parameters receive theirs here
    return {x.grad(), {}};
  }
};

}  // namespace

at::Tensor recomputed(Recompute recompute, const at::Tensor& x, std::function<at::Tensor(const at::Tensor&)> part,
                      bool last_is_read) {
  if (recompute == Recompute::kNone || !at::GradMode::is_enabled()) return part(x);
  return Recomputed::apply(x,
                           Replay{std::move(part), Kept(/*keeps=*/recompute == Recompute::kSelective), last_is_read});
}

}  // namespace trireme::models
