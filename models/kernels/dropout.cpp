#include "models/kernels/dropout.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <string>

#include "models/kernels/blocks.h"
#include "models/kernels/held.h"
#include "models/kernels/kept.h"
#include "models/kernels/ops.h"

namespace trireme::models {

DropoutMask::DropoutMask(const DropoutKey& key, std::string_view site, double rate)
    : stream_(key.seed, "dropout/" + std::to_string(key.step) + "/" + std::string(site)),
      first_sample_(key.first_sample),
      threshold_(static_cast<std::uint32_t>(std::lround(rate * 0x1p32))),  // rate is at most 0.99
      scale_(1 / (1 - rate)) {}

void DropoutMask::draw(const Row& row, std::int64_t width, std::vector<std::uint32_t>& words) const {
  words.resize(static_cast<std::size_t>(width));
  stream_.fill_bits(words.data(), static_cast<std::uint64_t>(width),
                    {static_cast<std::uint32_t>(row.token), static_cast<std::uint32_t>(first_sample_ + row.sample),
                     static_cast<std::uint32_t>(row.head)});
}

namespace ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor dropped(const at::Tensor& input, const DropoutMask& mask) {
  const at::Tensor x = input.contiguous();
  at::Tensor y = at::empty_like(x);
  const std::int64_t tokens = x.size(1), width = x.size(2);
  with_type(x, [&]<class T>(T) {
    for_blocks(x.size(0) * tokens, kBlockRows, [&](std::int64_t, std::int64_t first, std::int64_t last) {
      std::vector<std::uint32_t> scratch;
      for (std::int64_t row = first; row < last; ++row)
        mask.apply({.sample = row / tokens, .token = row % tokens}, x.const_data_ptr<T>() + row * width, width,
                   y.mutable_data_ptr<T>() + row * width, scratch);
    });
  });
  return y;
}

struct Dropout : torch::autograd::Function<Dropout> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const DropoutMask& mask) {
    hold(context, mask);
    return dropped(x, mask);
  }
  static variable_list backward(AutogradContext* context, const variable_list& outer) {
    return {dropped(outer[0], held<DropoutMask>(context)), {}};
  }
};

// Attention whose probabilities pass a dropout, one head of one sample at a time: that head's [T, T] probabilities are
// all that exists of them, and backward makes them again. In float32 (float64 for float64), rounded once.
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
        mask.apply(at_token(token), out, width, kept.mutable_data_ptr<M>() + offset, scratch);
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

  static variable_list attended(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                const DropoutMask& mask) {
    // In memory as projections leave heads, [B, T, H, D].
    at::Tensor out = at::empty({q.size(0), q.size(2), q.size(1), q.size(3)}, q.options()).transpose(1, 2);
    for (std::int64_t sample = 0; sample < q.size(0); ++sample)
      for (std::int64_t head = 0; head < q.size(1); ++head) {
        const Head one(q, k, v, sample, head, mask);
        out.select(0, sample).select(0, head).copy_(at::matmul(one.kept, one.v));
      }
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
    for (std::int64_t sample = 0; sample < q.size(0); ++sample)
      for (std::int64_t head = 0; head < q.size(1); ++head) {
        const Head one(q, k, v, sample, head, mask);
        const auto of = [&](const at::Tensor& x, std::int64_t index) { return x.select(0, sample).select(0, index); };
        const at::Tensor d = of(dout, head).to(math_type(q)).contiguous();
        of(dv, head / group).add_(at::matmul(one.kept.t(), d));
        at::Tensor dscores = at::matmul(d, one.v.t());
        one.with_rows([&]<class M>(M, std::int64_t token, std::vector<std::uint32_t>& scratch) {
          const std::int64_t width = dscores.size(1), offset = token * width;
          M* row = dscores.mutable_data_ptr<M>() + offset;
          mask.apply(one.at_token(token), row, width, row, scratch);
          softmax_backward_row(one.probabilities.const_data_ptr<M>() + offset, token + 1, width,
                               static_cast<math_t<M>>(one.scale), row);
        });
        of(dq, head).copy_(at::matmul(dscores, one.k));
        of(dk, head / group).add_(at::matmul(dscores.t(), one.q));
      }
    return {dq.to(q.scalar_type()), dk.to(k.scalar_type()), dv.to(v.scalar_type()), {}};
  }
};

}  // namespace

at::Tensor dropout(const at::Tensor& x_btc, const DropoutMask& mask) { return Dropout::apply(x_btc, mask); }

at::Tensor causal_attention(const at::Tensor& q_bhtd, const at::Tensor& k_bhtd, const at::Tensor& v_bhtd,
                            const DropoutMask& mask) {
  if (q_bhtd.size(2) != k_bhtd.size(2))
    throw Error(ErrorCode::kBug, "attention with dropout sees ", k_bhtd.size(2), " keys for ", q_bhtd.size(2),
                " queries: it is for training, where no cache is");
  return DropoutAttention::apply(q_bhtd, k_bhtd, v_bhtd, mask);
}

}  // namespace ops
}  // namespace trireme::models
