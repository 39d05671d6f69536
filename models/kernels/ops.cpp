#include "models/kernels/ops.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu_backward.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "models/kernels/attention.h"
#include "models/kernels/gemm.h"
#include "models/kernels/general_attention.h"
#include "models/kernels/held.h"
#include "models/kernels/kept.h"
#include "models/kernels/put_off.h"

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

// Products of one x with several matrices, which read it once. Autograd of our own: that is where a replay takes the
// results that were kept (kept.h).
struct Linear : torch::autograd::Function<Linear> {
  static variable_list products(const at::Tensor& x, const variable_list& weights, const variable_list& biases) {
    return Kept::result([&] {
      variable_list outs, rights, flat;
      std::vector<std::int64_t> shape = x.sizes().vec();
      for (const at::Tensor& weight : weights) {
        shape.back() = weight.size(0);
        outs.push_back(at::empty(shape, x.options()));
        flat.push_back(rows_of(outs.back()));
        rights.push_back(weight.t());
      }
      multiply_each(flat, {rows_of(x)}, rights, biases);
      return outs;
    });
  }

  using Optional = std::optional<at::Tensor>;
  static constexpr std::size_t kMost = 3;  // autograd counts arguments one by one

  static variable_list forward(AutogradContext* context, const at::Tensor& x, const Optional& weight0,
                               const Optional& weight1, const Optional& weight2, const Optional& bias0,
                               const Optional& bias1, const Optional& bias2) {
    const auto present = [](std::initializer_list<const Optional*> given) {
      variable_list list;
      for (const Optional* tensor : given)
        if (*tensor) list.push_back(**tensor);
      return list;
    };
    const variable_list weights = present({&weight0, &weight1, &weight2}), biases = present({&bias0, &bias1, &bias2});
    // Frozen weights have no gradient, and so need no x.
    const auto any_learns = [](const variable_list& list) {
      return std::ranges::any_of(list, [](const at::Tensor& tensor) { return tensor.requires_grad(); });
    };
    variable_list saved = weights;
    saved.push_back(any_learns(weights) ? x : at::empty({0}, x.options()));
    context->save_for_backward(saved);
    context->saved_data["shape"] = x.sizes();
    context->saved_data["weights"] = any_learns(weights);
    context->saved_data["biases"] = any_learns(biases);
    return products(x, weights, biases);
  }

  static variable_list applied(const at::Tensor& x, const variable_list& weights, const variable_list& biases) {
    if (weights.size() > kMost) throw Error(ErrorCode::kBug, "linear_each takes at most 3 matrices");
    const auto at = [](const variable_list& list, std::size_t i) {
      return i < list.size() ? Optional(list[i]) : Optional();
    };
    return apply(x, at(weights, 0), at(weights, 1), at(weights, 2), at(biases, 0), at(biases, 1), at(biases, 2));
  }

  // Every matrix has its gradient in every pass: an expert that no token chose has one of zeros.
  static variable_list of_no_rows(AutogradContext* context, const variable_list& saved) {
    variable_list results(1 + 2 * kMost);
    results[0] = at::zeros(context->saved_data["shape"].toIntVector(), saved.back().options());
    for (std::size_t i = 0; i + 1 < saved.size(); ++i) {
      if (context->saved_data["weights"].toBool()) results[1 + i] = at::zeros(saved[i].sizes(), saved[i].options());
      if (context->saved_data["biases"].toBool())
        results[1 + kMost + i] = at::zeros({saved[i].size(0)}, saved[i].options());
    }
    return results;
  }

  static variable_list backward(AutogradContext* context, const variable_list& outer) {
    const variable_list saved = context->get_saved_variables();
    if (outer[0].numel() == 0) return of_no_rows(context, saved);
    variable_list results = {at::empty(context->saved_data["shape"].toIntVector(), saved.back().options())}, lefts;
    const at::Tensor dx = rows_of(results[0]);
    for (std::size_t i = 0; i < outer.size(); ++i) {
      const at::Tensor dy = rows_of(outer[i]);
      multiply_into(dx, dy, saved[i], {}, i == 0 ? std::optional<at::Tensor>() : std::optional(dx));
      lefts.push_back(dy.t());
    }
    if (context->saved_data["weights"].toBool()) {
      const variable_list weights(saved.begin(), saved.end() - 1);
      const auto weight_gradients = [weights, lefts, rows = rows_of(saved.back())] {
        variable_list gradients;
        for (const at::Tensor& weight : weights) gradients.push_back(at::empty(weight.sizes(), weight.options()));
        multiply_each(gradients, lefts, {rows});
        return gradients;
      };
      if (PutOff* const later = PutOff::current()) {
        later->add({weights, weight_gradients});
      } else {
        const variable_list now = weight_gradients();
        results.insert(results.end(), now.begin(), now.end());
      }
    }
    results.resize(1 + 2 * kMost);
    if (context->saved_data["biases"].toBool())
      for (std::size_t i = 0; i < lefts.size(); ++i) results[1 + kMost + i] = lefts[i].sum(1);
    return results;
  }
};

struct CausalAttention : torch::autograd::Function<CausalAttention> {
  // The result [B, T, H, D], and the logarithm of each row's sum of exponentials [B, H, T].
  static variable_list attended(const at::Tensor& q_bthd, const at::Tensor& k_bthd, const at::Tensor& v_bthd,
                                const DocumentsPointer& documents) {
    return Kept::result([&] {
      if (has_fused_attention(q_bthd)) {
        auto [out, logsumexp] = fused_attention(q_bthd, k_bthd, v_bthd, documents.get());
        return variable_list{out, logsumexp};
      }
      variable_list outs, logsumexps;
      for_sequences(documents, [&](const auto& of) {
        const at::Tensor q = widened(of(q_bthd)), k = widened(of(k_bthd)), v = widened(of(v_bthd));
        auto [out, logsumexp] = at::_scaled_dot_product_flash_attention_for_cpu(
            swapped(q), for_each_head(k, q), for_each_head(v, q), 0.0, /*is_causal=*/true);
        outs.push_back(swapped(out).to(q_bthd.scalar_type()));
        logsumexps.push_back(logsumexp);
      });
      return variable_list{joined(outs, 1), joined(logsumexps, 2)};
    });
  }

  static at::Tensor forward(AutogradContext* context, const at::Tensor& q_bthd, const at::Tensor& k_bthd,
                            const at::Tensor& v_bthd, const DocumentsPointer& documents) {
    const variable_list results = attended(q_bthd, k_bthd, v_bthd, documents);
    context->save_for_backward({q_bthd, k_bthd, v_bthd, results[0], results[1]});
    hold(context, documents);
    return results[0];
  }

  static variable_list backward(AutogradContext* context, const variable_list& outer) {
    const variable_list saved = context->get_saved_variables();
    const auto& documents = held<DocumentsPointer>(context);
    const at::Tensor &out = saved[3], &logsumexp = saved[4];
    if (has_fused_attention(saved[0])) {
      const at::Tensor &q = saved[0], &k = saved[1], &v = saved[2];
      at::Tensor dq = at::empty(q.sizes(), q.options()), dk = at::empty(k.sizes(), k.options()),
                 dv = at::empty(v.sizes(), v.options());
      const at::Tensor gradient = outer[0].stride(-1) == 1 ? outer[0] : outer[0].contiguous();
      fused_attention_backward(gradient, out, logsumexp, q, k, v, dq, dk, dv, documents.get());
      return {dq, dk, dv, {}};
    }
    variable_list dqs, dks, dvs;
    for_sequences(documents, [&](const auto& of) {
      const at::Tensor q = widened(of(saved[0])), k = widened(of(saved[1])), v = widened(of(saved[2]));
      auto [dq, dk, dv] = at::_scaled_dot_product_flash_attention_for_cpu_backward(
          swapped(widened(of(outer[0]))), swapped(q), for_each_head(k, q), for_each_head(v, q),
          swapped(widened(of(out))), of(logsumexp, 2), 0.0, /*is_causal=*/true);
      const auto over_groups = [&](const at::Tensor& gradient) {
        if (k.size(2) == q.size(2)) return swapped(gradient);
        return swapped(gradient.unflatten(1, {k.size(2), -1}).sum(2));
      };
      const at::ScalarType type = saved[0].scalar_type();
      dqs.push_back(swapped(dq).to(type));
      dks.push_back(over_groups(dk).to(type));
      dvs.push_back(over_groups(dv).to(type));
    });
    return {joined(dqs, 1), joined(dks, 1), joined(dvs, 1), {}};
  }

 private:
  // visit(of): of(x, axis) are the tokens of a document, or all of them.
  template <class Visit>
  static void for_sequences(const DocumentsPointer& documents, const Visit& visit) {
    if (!documents) return visit([](const at::Tensor& x, std::int64_t = 1) { return x; });
    for (std::int64_t i = 0; i < documents->count(); ++i)
      visit([&](const at::Tensor& x, std::int64_t axis = 1) {
        return x.narrow(axis, documents->begin(i), documents->length(i));
      });
  }
  static at::Tensor joined(const variable_list& parts, std::int64_t axis) {
    return parts.size() == 1 ? parts[0] : at::cat(parts, axis);
  }
  static at::Tensor widened(const at::Tensor& x) { return x.to(product_type(x.scalar_type())); }
  static at::Tensor swapped(const at::Tensor& x) { return x.transpose(1, 2); }
  // Keys or values, once for each query head: [B, H, T, D].
  static at::Tensor for_each_head(const at::Tensor& x_bthd, const at::Tensor& q_bthd) {
    return spread(swapped(x_bthd), q_bthd.size(2));
  }
};

}  // namespace

std::vector<at::Tensor> linear_each(const at::Tensor& x, const std::vector<at::Tensor>& weights,
                                    const std::vector<at::Tensor>& biases) {
  if (at::GradMode::is_enabled()) return Linear::applied(x, weights, biases);
  // Outside training, a few rows do not pay for packing the weights.
  if (Kept::in_pass() || x.numel() >= 32 * x.size(-1)) return Linear::products(x, weights, biases);
  std::vector<at::Tensor> outs;
  for (std::size_t i = 0; i < weights.size(); ++i)
    outs.push_back(at::linear(x, weights[i], biases.empty() ? std::optional<at::Tensor>() : std::optional(biases[i])));
  return outs;
}

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias) {
  return linear_each(x, {weight}, bias ? std::vector{*bias} : std::vector<at::Tensor>())[0];
}

at::Tensor embedding(const at::Tensor& ids, const at::Tensor& table) { return at::embedding(table, ids); }

namespace {

// In plain steps, whose gradients ATen knows.
at::Tensor biased_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const AttentionRule& rule,
                            const at::Tensor& bias) {
  const std::int64_t queries = q.size(2), keys = k.size(2), heads = q.size(1);
  const double scale = rule.scale > 0 ? rule.scale : 1 / std::sqrt(static_cast<double>(q.size(3)));
  at::Tensor scores = at::matmul(q, spread(k, heads).transpose(2, 3)) * scale + bias;
  if (rule.causal) {
    const at::Tensor hidden = at::arange(keys).unsqueeze(0) > at::arange(queries).unsqueeze(1) + (keys - queries);
    scores = scores.masked_fill(hidden, -INFINITY);
  }
  const at::ScalarType wide = q.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  return at::matmul(at::softmax(scores, -1, wide).to(q.scalar_type()), spread(v, heads));
}

}  // namespace

at::Tensor attention(const at::Tensor& q_bhtd, const at::Tensor& k_bhld, const at::Tensor& v_bhld,
                     const AttentionRule& rule, const DropoutMask* mask, const at::Tensor& bias,
                     const at::Tensor& lengths, const DocumentsPointer& documents) {
  if (documents && (!rule.causal || q_bhtd.size(0) != 1 || q_bhtd.size(2) != documents->tokens() ||
                    k_bhld.size(2) != documents->tokens() || bias.defined()))
    throw Error(ErrorCode::kBug, "documents of ", documents->tokens(), " tokens are for causal attention of one row");
  if (lengths.defined() && rule.causal) throw Error(ErrorCode::kBug, "causal attention is told the lengths of texts");
  if (bias.defined()) {
    if (mask || rule.softcap != 0 || rule.window != 0 || lengths.defined())
      throw Error(ErrorCode::kBug, "attention with a bias has neither mask nor window nor bounds nor lengths");
    return biased_attention(q_bhtd, k_bhld, v_bhld, rule, bias);
  }
  const bool sees_all = !rule.causal && rule.softcap == 0 && !mask && !lengths.defined();
  if (sees_all && !at::GradMode::is_enabled() && !Kept::in_pass())
    return at::scaled_dot_product_attention(q_bhtd, spread(k_bhld, q_bhtd.size(1)), spread(v_bhld, q_bhtd.size(1)), {},
                                            /*dropout_p=*/0, /*is_causal=*/false,
                                            rule.scale > 0 ? std::optional(rule.scale) : std::nullopt);
  if (mask || !rule.is_plain(documents ? documents->longest() : k_bhld.size(2)))
    return general_attention(q_bhtd, k_bhld, v_bhld, rule, mask, lengths, documents);
  const std::int64_t queries = q_bhtd.size(2), keys = k_bhld.size(2), heads = q_bhtd.size(1);
  if (queries == keys) {
    const at::Tensor q = q_bhtd.transpose(1, 2), k = k_bhld.transpose(1, 2), v = v_bhld.transpose(1, 2);
    return (at::GradMode::is_enabled() ? CausalAttention::apply(q, k, v, documents)
                                       : CausalAttention::attended(q, k, v, documents)[0])
        .transpose(1, 2);
  }
  const at::Tensor k = spread(k_bhld, heads), v = spread(v_bhld, heads);
  if (queries == 1) return at::scaled_dot_product_attention(q_bhtd, k, v);
  // is_causal lines the mask up with the first key; here the last query belongs to the last key.
  const at::Tensor visible = at::arange(keys).unsqueeze(0) <= at::arange(queries).unsqueeze(1) + (keys - queries);
  return at::scaled_dot_product_attention(q_bhtd, k, v, visible);
}

}  // namespace trireme::models::ops
