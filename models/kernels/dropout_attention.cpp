#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>

#include "models/kernels/blocks.h"
#include "models/kernels/held.h"
#include "models/kernels/kept.h"
#include "models/kernels/ops.h"

namespace trireme::models::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Attention whose probabilities pass a dropout. Each thread works on one head of one sample at a time: that head's
// [T, T] probabilities are all that exists of them, and backward makes them again. In float32 (float64 for float64),
// rounded once.
struct DropoutAttention : torch::autograd::Function<DropoutAttention> {
  // One head: probabilities before and after the dropout.
  struct Head {
    at::Tensor q, k, v;  // [T, D]
    double scale;
    DropoutMask::Row row;  // sample and head
    at::Tensor probabilities, kept;

    Head(const at::Tensor& q_bhtd, const at::Tensor& k_bgtd, const at::Tensor& v_bgtd, std::int64_t sample,
         std::int64_t head, const DropoutMask& mask)
        : scale(1 / std::sqrt(static_cast<double>(q_bhtd.size(3)))), row{sample, head, 0} {
      const auto of = [&](const at::Tensor& x, std::int64_t index) {
        return x.select(0, sample).select(0, index).to(math_type(x)).contiguous();
      };
      const std::int64_t shared = head / (q_bhtd.size(1) / k_bgtd.size(1));
      q = of(q_bhtd, head);
      k = of(k_bgtd, shared);
      v = of(v_bgtd, shared);
      probabilities = at::matmul(q, k.t());
      kept = at::empty_like(probabilities);
      with_rows([&]<class M>(M, std::int64_t token, std::vector<std::uint32_t>& scratch) {
        const std::int64_t width = probabilities.size(1), offset = token * width;
        M* out = probabilities.mutable_data_ptr<M>() + offset;
        softmax_row(out, token + 1, width, static_cast<math_t<M>>(scale));
        M* dropped = kept.mutable_data_ptr<M>() + offset;
        mask.apply(at_token(token), out, token + 1, dropped, scratch);
        std::fill(dropped + token + 1, dropped + width, M(0));
      });
    }

    template <class Visit>
    void with_rows(Visit visit) const {
      with_type(probabilities, [&]<class M>(M) {
        for_blocks(probabilities.size(0), kBlockRows, [&](std::int64_t, std::int64_t first, std::int64_t last) {
          std::vector<std::uint32_t> scratch;
          for (std::int64_t token = first; token < last; ++token) visit(M{}, token, scratch);
        });
      });
    }

    DropoutMask::Row at_token(std::int64_t token) const { return {row.sample, row.head, token}; }
  };

  // visit(sample, head): the heads that share keys in order and on one thread, so that their gradients can be added.
  template <class Visit>
  static void for_heads(const at::Tensor& q_bhtd, const at::Tensor& k_bgtd, Visit visit) {
    const std::int64_t shared = k_bgtd.size(1), group = q_bhtd.size(1) / shared;
    for_blocks(q_bhtd.size(0) * shared, 1, [&](std::int64_t index, std::int64_t, std::int64_t) {
      const at::NoGradGuard no_grad;  // autograd is off in this Function, but not yet in other threads
      for (std::int64_t head = index % shared * group; head < (index % shared + 1) * group; ++head)
        visit(index / shared, head);
    });
  }

  static variable_list attended(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                const DropoutMask& mask) {
    // In memory as projections leave heads, [B, T, H, D].
    at::Tensor out = at::empty({q.size(0), q.size(2), q.size(1), q.size(3)}, q.options()).transpose(1, 2);
    for_heads(q, k, [&](std::int64_t sample, std::int64_t head) {
      const Head one(q, k, v, sample, head, mask);
      out.select(0, sample).select(0, head).copy_(at::matmul(one.kept, one.v));
    });
    return {out};
  }

  static at::Tensor forward(AutogradContext* context, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const DropoutMask& mask) {
    context->save_for_backward({q, k, v});
    hold(context, mask);
    return Kept::result([&] { return attended(q, k, v, mask); })[0];
  }

  static variable_list backward(AutogradContext* context, const variable_list& outer) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &q = saved[0], &k = saved[1], &v = saved[2], &dout = outer[0];
    const auto& mask = held<DropoutMask>(context);
    const auto sums = [](const at::Tensor& x) { return at::zeros(x.sizes(), x.options().dtype(math_type(x))); };
    at::Tensor dq = sums(q), dk = sums(k), dv = sums(v);
    const std::int64_t group = q.size(1) / k.size(1);
    for_heads(q, k, [&](std::int64_t sample, std::int64_t head) {
      const Head one(q, k, v, sample, head, mask);
      const auto of = [&](const at::Tensor& x, std::int64_t index) { return x.select(0, sample).select(0, index); };
      const at::Tensor d = of(dout, head).to(math_type(q)).contiguous();
      of(dv, head / group).add_(at::matmul(one.kept.t(), d));
      at::Tensor dscores = at::matmul(d, one.v.t());
      one.with_rows([&]<class M>(M, std::int64_t token, std::vector<std::uint32_t>& scratch) {
        const std::int64_t width = dscores.size(1), offset = token * width;
        M* row = dscores.mutable_data_ptr<M>() + offset;
        mask.apply(one.at_token(token), row, token + 1, row, scratch);
        softmax_backward_row(one.probabilities.const_data_ptr<M>() + offset, token + 1, width,
                             static_cast<math_t<M>>(one.scale), row);
      });
      of(dq, head).copy_(at::matmul(dscores, one.k));
      of(dk, head / group).add_(at::matmul(dscores.t(), one.q));
    });
    return {dq.to(q.scalar_type()), dk.to(k.scalar_type()), dv.to(v.scalar_type()), {}};
  }
};

}  // namespace

at::Tensor causal_attention(const at::Tensor& q_bhtd, const at::Tensor& k_bhtd, const at::Tensor& v_bhtd,
                            const DropoutMask& mask) {
  if (q_bhtd.size(2) != k_bhtd.size(2))
    throw Error(ErrorCode::kBug, "attention with dropout sees ", k_bhtd.size(2), " keys for ", q_bhtd.size(2),
                " queries: it is for training, where no cache is");
  return DropoutAttention::apply(q_bhtd, k_bhtd, v_bhtd, mask);
}

}  // namespace trireme::models::ops
