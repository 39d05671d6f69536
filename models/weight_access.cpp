#include "models/weight_access.h"

#include <torch/csrc/autograd/custom_function.h>

#include "models/kernels/held.h"

namespace trireme::models {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Part {
  WeightAccess* access;
  std::string_view group;
};

// Behind what a part returns: backward comes here first.
struct EnterBackward : torch::autograd::Function<EnterBackward> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& y, Part part) {
    hold(context, part);
    return y;
  }
  static variable_list backward(AutogradContext* context, const variable_list& outer) {
    const Part part = held<Part>(context);
    part.access->enter(part.group, WeightAccess::Pass::kBackward);
    return {outer[0], {}};
  }
};

// Before what a part reads: backward comes here last.
struct LeaveBackward : torch::autograd::Function<LeaveBackward> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, Part part) {
    hold(context, part);
    return x;
  }
  static variable_list backward(AutogradContext* context, const variable_list& outer) {
    const Part part = held<Part>(context);
    part.access->leave(part.group);
    return {outer[0], {}};
  }
};

}  // namespace

at::Tensor with_weights(WeightAccess* access, std::string_view group, const at::Tensor& x,
                        const std::function<at::Tensor(const at::Tensor&)>& part) {
  if (!access) return part(x);
  const bool backward = at::GradMode::is_enabled();
  const at::Tensor input = backward ? LeaveBackward::apply(x, Part{access, group}) : x;
  access->enter(group, WeightAccess::Pass::kForward);
  const at::Tensor output = part(input);
  access->leave(group);
  return backward ? EnterBackward::apply(output, Part{access, group}) : output;
}

}  // namespace trireme::models
