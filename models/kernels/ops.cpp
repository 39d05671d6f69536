#include "models/kernels/ops.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu_backward.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <torch/csrc/autograd/custom_function.h>

#include "models/kernels/kept.h"

namespace trireme::models::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Autograd of our own around ATen's kernels: that is where a replay takes the results that were kept (kept.h).
struct Linear : torch::autograd::Function<Linear> {
  static at::Tensor product(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias) {
    return Kept::result([&] { return variable_list{at::linear(x, weight, bias)}; })[0];
  }

  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const std::optional<at::Tensor>& bias) {
    context->save_for_backward({x, weight});
    context->saved_data["bias"] = bias.has_value();
    return product(x, weight, bias);
  }

  static variable_list backward(AutogradContext* context, const variable_list& outer) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1];
    const at::Tensor dy = outer[0].reshape({-1, weight.size(0)});
    return {at::matmul(dy, weight).view(x.sizes()), at::matmul(dy.t(), x.reshape({-1, weight.size(1)})),
            context->saved_data["bias"].toBool() ? dy.sum(0) : at::Tensor()};
  }
};

struct CausalAttention : torch::autograd::Function<CausalAttention> {
  // The result, and the logarithm of each row's sum of exponentials.
  static variable_list attended(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
    return Kept::result([&] {
      auto [out, logsumexp] = at::_scaled_dot_product_flash_attention_for_cpu(q, k, v, 0.0, /*is_causal=*/true);
      return variable_list{out, logsumexp};
    });
  }

  static at::Tensor forward(AutogradContext* context, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
    const variable_list results = attended(q, k, v);
    context->save_for_backward({q, k, v, results[0], results[1]});
    return results[0];
  }

  static variable_list backward(AutogradContext* context, const variable_list& outer) {
    const variable_list saved = context->get_saved_variables();
    auto [dq, dk, dv] = at::_scaled_dot_product_flash_attention_for_cpu_backward(
        outer[0], saved[0], saved[1], saved[2], saved[3], saved[4], 0.0, /*is_causal=*/true);
    return {dq, dk, dv};
  }
};

}  // namespace

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias) {
  return at::GradMode::is_enabled() ? Linear::apply(x, weight, bias) : Linear::product(x, weight, bias);
}

at::Tensor embedding(const at::Tensor& ids, const at::Tensor& table) { return at::embedding(table, ids); }

at::Tensor causal_attention(const at::Tensor& q_bhtd, const at::Tensor& k_bhld, const at::Tensor& v_bhld) {
  const std::int64_t groups = q_bhtd.size(1) / k_bhld.size(1);
  const auto spread = [&](const at::Tensor& x) {
    if (groups == 1) return x;
    return x.unsqueeze(2).expand({x.size(0), x.size(1), groups, x.size(2), x.size(3)}).flatten(1, 2);
  };
  const std::int64_t queries = q_bhtd.size(2), keys = k_bhld.size(2);
  if (queries == keys) {
    const at::Tensor k = spread(k_bhld), v = spread(v_bhld);
    return at::GradMode::is_enabled() ? CausalAttention::apply(q_bhtd, k, v)
                                      : CausalAttention::attended(q_bhtd, k, v)[0];
  }
  if (queries == 1) return at::scaled_dot_product_attention(q_bhtd, spread(k_bhld), spread(v_bhld));
  // is_causal lines the mask up with the first key; here the last query belongs to the last key.
  const at::Tensor mask = at::arange(keys).unsqueeze(0) <= at::arange(queries).unsqueeze(1) + (keys - queries);
  return at::scaled_dot_product_attention(q_bhtd, spread(k_bhld), spread(v_bhld), mask);
}

}  // namespace trireme::models::ops
