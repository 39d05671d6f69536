#include "models/kernels/ops.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/scaled_dot_product_attention.h>

namespace trireme::models::ops {

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  return at::linear(x, weight, bias.defined() ? std::optional(bias) : std::nullopt);
}

at::Tensor embedding(const at::Tensor& ids, const at::Tensor& table) { return at::embedding(table, ids); }

at::Tensor causal_attention(const at::Tensor& q_bhtd, const at::Tensor& k_bhld, const at::Tensor& v_bhld) {
  const std::int64_t groups = q_bhtd.size(1) / k_bhld.size(1);
  const auto spread = [&](const at::Tensor& x) {
    if (groups == 1) return x;
    return x.unsqueeze(2).expand({x.size(0), x.size(1), groups, x.size(2), x.size(3)}).flatten(1, 2);
  };
  const std::int64_t queries = q_bhtd.size(2), keys = k_bhld.size(2);
  if (queries == keys || queries == 1)
    return at::scaled_dot_product_attention(q_bhtd, spread(k_bhld), spread(v_bhld), {}, 0.0, queries > 1);
  // is_causal lines the mask up with the first key; here the last query belongs to the last key.
  const at::Tensor mask = at::arange(keys).unsqueeze(0) <= at::arange(queries).unsqueeze(1) + (keys - queries);
  return at::scaled_dot_product_attention(q_bhtd, spread(k_bhld), spread(v_bhld), mask);
}

}  // namespace trireme::models::ops
