// The operations of ops.h that bring tokens to experts and back.
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "models/kernels/blocks.h"
#include "models/kernels/held.h"
#include "models/kernels/ops.h"

namespace trireme::models::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// [N * K, C] from [N, C].
at::Tensor spread(const at::Tensor& x, const Routing& routing) {
  const std::int64_t width = x.size(1), per_token = routing.per_token();
  at::Tensor rows = at::empty({routing.tokens() * per_token, width}, x.options());
  with_type(x, [&]<class T>(T) {
    const T* const from = x.const_data_ptr<T>();
    T* const to = rows.mutable_data_ptr<T>();
    for_blocks(routing.tokens(), kBlockRows, [&](std::int64_t, std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first * per_token; i < last * per_token; ++i)
        std::copy_n(from + i / per_token * width, width, to + routing.places()[static_cast<std::size_t>(i)] * width);
    });
  });
  return rows;
}

// sum over k of weight(i = n * K + k) * rows[place(i)], of each token.
template <class Weight>
at::Tensor gathered(const at::Tensor& rows, const Routing& routing, Weight weight) {
  const std::int64_t width = rows.size(1), per_token = routing.per_token();
  at::Tensor sums = at::empty({routing.tokens(), width}, rows.options());
  with_type(rows, [&]<class T>(T) {
    using M = math_t<T>;
    const T* const from = rows.const_data_ptr<T>();
    T* const to = sums.mutable_data_ptr<T>();
    for_blocks(routing.tokens(), kBlockRows, [&](std::int64_t, std::int64_t first, std::int64_t last) {
      std::vector<M> sum(static_cast<std::size_t>(width));
      for (std::int64_t token = first; token < last; ++token) {
        std::fill(sum.begin(), sum.end(), M(0));
        for (std::int64_t i = token * per_token; i < (token + 1) * per_token; ++i) {
          const T* const row = from + routing.places()[static_cast<std::size_t>(i)] * width;
          const M by = weight(M{}, i);
          for (std::int64_t c = 0; c < width; ++c) sum[static_cast<std::size_t>(c)] += by * load(row + c);
        }
        for (std::int64_t c = 0; c < width; ++c) store(to + token * width + c, sum[static_cast<std::size_t>(c)]);
      }
    });
  });
  return sums;
}

struct Routed : torch::autograd::Function<Routed> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const Routing& routing) {
    hold(context, routing);
    return spread(x.contiguous(), routing);
  }
  static variable_list backward(AutogradContext* context, const variable_list& outer) {
    return {gathered(outer[0].contiguous(), held<Routing>(context), []<class M>(M, std::int64_t) { return M(1); }), {}};
  }
};

struct Mixed : torch::autograd::Function<Mixed> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& rows_in, const at::Tensor& weights_in,
                            const Routing& routing) {
    const at::Tensor rows = rows_in.contiguous(), weights = weights_in.contiguous();
    context->save_for_backward({rows, weights});
    hold(context, routing);
    return gathered(rows, routing, [&]<class M>(M, std::int64_t i) { return weights.const_data_ptr<M>()[i]; });
  }

  static variable_list backward(AutogradContext* context, const variable_list& outer) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &rows = saved[0], &weights = saved[1];
    const auto& routing = held<Routing>(context);
    const at::Tensor d = outer[0].contiguous();
    at::Tensor drows = at::empty_like(rows), dweights = at::empty_like(weights);
    const std::int64_t width = rows.size(1), per_token = routing.per_token();
    with_type(rows, [&]<class T>(T) {
      using M = math_t<T>;
      const T *const of_sum = d.const_data_ptr<T>(), *const row = rows.const_data_ptr<T>();
      const M* const by = weights.const_data_ptr<M>();
      T* const to = drows.mutable_data_ptr<T>();
      M* const of_weight = dweights.mutable_data_ptr<M>();
      for_blocks(routing.tokens(), kBlockRows, [&](std::int64_t, std::int64_t first, std::int64_t last) {
        for (std::int64_t i = first * per_token; i < last * per_token; ++i) {
          const T* const outer_row = of_sum + i / per_token * width;
          const std::int64_t place = routing.places()[static_cast<std::size_t>(i)] * width;
          M dot = 0;
          for (std::int64_t c = 0; c < width; ++c) {
            dot += load(outer_row + c) * load(row + place + c);
            store(to + place + c, by[i] * load(outer_row + c));
          }
          of_weight[i] = dot;
        }
      });
    });
    return {drows, dweights, {}};
  }
};

}  // namespace

Routing::Routing(const at::Tensor& chosen_nk, std::int64_t experts)
    : tokens_(chosen_nk.size(0)), per_token_(chosen_nk.size(1)), begins_(static_cast<std::size_t>(experts) + 1, 0) {
  const at::Tensor chosen = chosen_nk.contiguous();
  const auto* const expert = chosen.const_data_ptr<std::int64_t>();
  const std::int64_t rows = tokens_ * per_token_;
  for (std::int64_t i = 0; i < rows; ++i) ++begins_[static_cast<std::size_t>(expert[i]) + 1];
  for (std::size_t e = 1; e < begins_.size(); ++e) begins_[e] += begins_[e - 1];
  std::vector<std::int64_t> next(begins_.begin(), begins_.end() - 1);
  places_.reserve(static_cast<std::size_t>(rows));
  for (std::int64_t i = 0; i < rows; ++i) places_.push_back(next[static_cast<std::size_t>(expert[i])]++);
}

at::Tensor routed(const at::Tensor& x_nc, const Routing& routing) { return Routed::apply(x_nc, routing); }

at::Tensor mixed(const at::Tensor& rows_mc, const at::Tensor& weights_nk, const Routing& routing) {
  return Mixed::apply(rows_mc, weights_nk, routing);
}

}  // namespace trireme::models::ops
