#include "models/kernels/ops.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu_backward.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <torch/csrc/autograd/custom_function.h>

#include "models/kernels/attention.h"
#include "models/kernels/gemm.h"
#include "models/kernels/kept.h"

namespace trireme::models::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// [B, Hkv, T, D] -> [B, heads, T, D]
at::Tensor spread(const at::Tensor& x, std::int64_t heads) {
  const std::int64_t groups = heads / x.size(1);
  if (groups == 1) return x;
  return x.unsqueeze(2).expand({x.size(0), x.size(1), groups, x.size(2), x.size(3)}).flatten(1, 2);
}

at::Tensor rows_of(const at::Tensor& x) { return x.reshape({-1, x.size(-1)}); }

// Autograd of our own: that is where a replay takes the results that were kept (kept.h).
struct Linear : torch::autograd::Function<Linear> {
  static at::Tensor product(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias) {
    return Kept::result([&] {
      std::vector<std::int64_t> shape = x.sizes().vec();
      shape.back() = weight.size(0);
      return variable_list{multiplied(rows_of(x), weight.t(), bias).view(shape)};
    })[0];
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
    const at::Tensor dy = rows_of(outer[0]);
    return {multiplied(dy, weight).view(x.sizes()), multiplied(dy.t(), rows_of(x)),
            context->saved_data["bias"].toBool() ? dy.sum(0) : at::Tensor()};
  }
};

struct CausalAttention : torch::autograd::Function<CausalAttention> {
  // The result [B, T, H, D], and the logarithm of each row's sum of exponentials [B, H, T].
  static variable_list attended(const at::Tensor& q_bthd, const at::Tensor& k_bthd, const at::Tensor& v_bthd) {
    return Kept::result([&] {
      if (has_fused_attention(q_bthd)) {
        auto [out, logsumexp] = fused_attention(q_bthd, k_bthd, v_bthd);
        return variable_list{out, logsumexp};
      }
      auto [out, logsumexp] = at::_scaled_dot_product_flash_attention_for_cpu(
          swapped(q_bthd), for_each_head(k_bthd, q_bthd), for_each_head(v_bthd, q_bthd), 0.0, /*is_causal=*/true);
      return variable_list{swapped(out), logsumexp};
    });
  }

  static at::Tensor forward(AutogradContext* context, const at::Tensor& q_bthd, const at::Tensor& k_bthd,
                            const at::Tensor& v_bthd) {
    const variable_list results = attended(q_bthd, k_bthd, v_bthd);
    context->save_for_backward({q_bthd, k_bthd, v_bthd, results[0], results[1]});
    return results[0];
  }

  static variable_list backward(AutogradContext* context, const variable_list& outer) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &q = saved[0], &k = saved[1], &v = saved[2], &out = saved[3], &logsumexp = saved[4];
    if (has_fused_attention(q)) {
      at::Tensor dq = at::empty(q.sizes(), q.options()), dk = at::empty(k.sizes(), k.options()),
                 dv = at::empty(v.sizes(), v.options());
      const at::Tensor gradient = outer[0].stride(-1) == 1 ? outer[0] : outer[0].contiguous();
      fused_attention_backward(gradient, out, logsumexp, q, k, v, dq, dk, dv);
      return {dq, dk, dv};
    }
    auto [dq, dk, dv] = at::_scaled_dot_product_flash_attention_for_cpu_backward(
        swapped(outer[0]), swapped(q), for_each_head(k, q), for_each_head(v, q), swapped(out), logsumexp, 0.0,
        /*is_causal=*/true);
    const auto over_groups = [&](const at::Tensor& gradient) {
      if (k.size(2) == q.size(2)) return swapped(gradient);
      return swapped(gradient.unflatten(1, {k.size(2), -1}).sum(2));
    };
    return {swapped(dq), over_groups(dk), over_groups(dv)};
  }

 private:
  static at::Tensor swapped(const at::Tensor& x) { return x.transpose(1, 2); }
  // Keys or values, once for each query head: [B, H, T, D].
  static at::Tensor for_each_head(const at::Tensor& x_bthd, const at::Tensor& q_bthd) {
    return spread(swapped(x_bthd), q_bthd.size(2));
  }
};

}  // namespace

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias) {
  // A few rows do not pay for packing the weights.
  if (!at::GradMode::is_enabled() && x.numel() < 32 * x.size(-1)) return at::linear(x, weight, bias);
  return at::GradMode::is_enabled() ? Linear::apply(x, weight, bias) : Linear::product(x, weight, bias);
}

at::Tensor embedding(const at::Tensor& ids, const at::Tensor& table) { return at::embedding(table, ids); }

at::Tensor causal_attention(const at::Tensor& q_bhtd, const at::Tensor& k_bhld, const at::Tensor& v_bhld) {
  const std::int64_t queries = q_bhtd.size(2), keys = k_bhld.size(2), heads = q_bhtd.size(1);
  if (queries == keys) {
    const at::Tensor q = q_bhtd.transpose(1, 2), k = k_bhld.transpose(1, 2), v = v_bhld.transpose(1, 2);
    return (at::GradMode::is_enabled() ? CausalAttention::apply(q, k, v) : CausalAttention::attended(q, k, v)[0])
        .transpose(1, 2);
  }
  const at::Tensor k = spread(k_bhld, heads), v = spread(v_bhld, heads);
  if (queries == 1) return at::scaled_dot_product_attention(q_bhtd, k, v);
  // is_causal lines the mask up with the first key; here the last query belongs to the last key.
  const at::Tensor mask = at::arange(keys).unsqueeze(0) <= at::arange(queries).unsqueeze(1) + (keys - queries);
  return at::scaled_dot_product_attention(q_bhtd, k, v, mask);
}

}  // namespace trireme::models::ops
