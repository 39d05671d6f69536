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
  std::optional<Kept> kept;
  Kept* kept_or_null() { return kept ? &*kept : nullptr; }
};

struct Recomputed : torch::autograd::Function<Recomputed> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, Replay replay) {
    const at::Tensor y = [&] {
      const Kept::Scope scope(replay.kept_or_null());
      return replay.part(x);  // autograd is off in here: nothing is kept but by us
    }();
    if (replay.kept) {
      replay.kept->drop_last();
      replay.kept->start_replay();
    }
    context->save_for_backward({x});
    hold(context, std::move(replay));
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& outer) {
    const at::AutoGradMode with_gradients(true);
    auto& replay = held<Replay>(context);
    const at::Tensor x = context->get_saved_variables()[0].detach().requires_grad_(true);
    const at::Tensor y = [&] {
      const Kept::Scope scope(replay.kept_or_null());
      return replay.part(x);
    }();
    y.backward(outer[0]);  // parameters receive theirs here
    return {x.grad(), {}};
  }
};

}  // namespace

at::Tensor recomputed(Recompute recompute, const at::Tensor& x, std::function<at::Tensor(const at::Tensor&)> part) {
  if (recompute == Recompute::kNone || !at::GradMode::is_enabled()) return part(x);
  Replay replay{std::move(part), {}};
  if (recompute == Recompute::kSelective) replay.kept.emplace();
  return Recomputed::apply(x, std::move(replay));
}

}  // namespace trireme::models
