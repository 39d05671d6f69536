#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <optional>

#include "models/kernels/gemm.h"
#include "models/kernels/ops.h"
#include "models/kernels/row_kernels.h"
#include "models/kernels/vector_math.h"

namespace trireme::models::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct NextTokenLoss : torch::autograd::Function<NextTokenLoss> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& hidden, const at::Tensor& head,
                            const at::Tensor& targets, double scale, double softcap,
                            const std::optional<at::Tensor>& bias, const std::optional<at::Tensor>& weights,
                            bool gradients, bool head_learns, double* each = nullptr) {
    const std::int64_t rows = hidden.size(0), vocabulary = head.size(0),
                       step = rows_of_logits(vocabulary, static_cast<std::int64_t>(head.element_size()));
    const auto math_type = hidden.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    at::Tensor hidden_gradient, head_gradient, bias_gradient;
    if (gradients) {
      hidden_gradient = at::empty(hidden.sizes(), hidden.options());
      if (head_learns)
        head_gradient = rows > 0 ? at::empty(head.sizes(), head.options().dtype(math_type))
                                 : at::zeros(head.sizes(), head.options().dtype(math_type));
    }
    if (gradients && head_learns && bias) bias_gradient = at::zeros(bias->sizes(), bias->options().dtype(math_type));
    double sum = 0;
    for (std::int64_t begin = 0; begin < rows; begin += step) {
      const std::int64_t size = std::min(step, rows - begin);
      const at::Tensor hidden_rows = hidden.narrow(0, begin, size);
      at::Tensor scores = multiplied(hidden_rows, head.t()), slopes;
      if (bias) scores.add_(*bias);
      if (softcap > 0) {
        const at::Tensor bounded = at::tanh(scores / softcap);
        if (gradients) slopes = 1 - bounded * bounded;
        scores = bounded * softcap;
      }
      const auto* target = targets.const_data_ptr<std::int64_t>() + begin;
      const auto* const weight = weights ? weights->const_data_ptr<double>() + begin : nullptr;
      const auto visit = [&]<class T>(T) {
        T* row_scores = scores.mutable_data_ptr<T>();
        std::vector<double> losses(static_cast<std::size_t>(size), 0.0);
        at::parallel_for(0, size, 16, [&](std::int64_t first, std::int64_t last) {
          std::vector<math_t<T>> scratch(static_cast<std::size_t>(vocabulary));
          for (std::int64_t row = first; row < last; ++row) {
            T* at = row_scores + row * vocabulary;
            const double weighed = weight ? weight[row] : 1;
            // The derivative takes the place of the scores.
            if (target[row] >= 0)
              losses[static_cast<std::size_t>(row)] =
                  weighed * cross_entropy_row(at, vocabulary, target[row], weighed * scale, scratch.data(),
                                              gradients ? at : nullptr);
            else if (gradients)
              std::fill_n(at, vocabulary, T(0));
          }
        });
        for (const double loss : losses) sum += loss;
        if (each) std::copy(losses.begin(), losses.end(), each + begin);
      };
      if (scores.scalar_type() == at::kDouble)
        visit(double{});
      else if (scores.scalar_type() == at::kFloat)
        visit(float{});
      else
        visit(c10::BFloat16{});
      if (!gradients) continue;
      if (softcap > 0) scores.mul_(slopes);
      multiply_into(hidden_gradient.narrow(0, begin, size), scores, head);
      if (!head_learns) continue;
      multiply_into(head_gradient, scores.t(), hidden_rows, {},
                    begin == 0 ? std::optional<at::Tensor>() : std::optional(head_gradient));
      if (bias) bias_gradient.add_(scores.sum(at::IntArrayRef{0}, /*keepdim=*/false, math_type));
    }
    const auto rounded = [&](const at::Tensor& x) { return x.defined() ? x.to(head.scalar_type()) : x; };
    if (gradients) context->save_for_backward({hidden_gradient, rounded(head_gradient), rounded(bias_gradient)});
    return at::zeros({}, at::kDouble).fill_(sum * scale);
  }

  static variable_list backward(AutogradContext* context, const variable_list& outer) {
    const variable_list saved = context->get_saved_variables();
    const double factor = outer[0].const_data_ptr<double>()[0];
    // backward() of the loss itself comes with 1, and then there is nothing to do.
    const auto scaled = [&](const at::Tensor& x) { return factor == 1 || !x.defined() ? x : x * factor; };
    return {scaled(saved[0]), scaled(saved[1]), {}, {}, {}, scaled(saved[2]), {}, {}, {}, {}};
  }
};

}  // namespace

// The fewer, the more often the whole matrix and its gradient pass through memory. It does not depend on the batch, so
// that sums have one order for all.
std::int64_t rows_of_logits(std::int64_t vocabulary, std::int64_t element_size) {
  return std::clamp<std::int64_t>((std::int64_t{1} << 25) / (vocabulary * element_size), 64, 512);
}

at::Tensor next_token_loss(const at::Tensor& hidden_nc, const at::Tensor& head_vc, const at::Tensor& targets_n,
                           double scale, double softcap, const std::optional<at::Tensor>& bias_v,
                           const at::Tensor& weights_n) {
  const bool gradients = at::GradMode::is_enabled() && (hidden_nc.requires_grad() || head_vc.requires_grad());
  return NextTokenLoss::apply(hidden_nc, head_vc, targets_n, scale, softcap, bias_v,
                              weights_n.defined() ? std::optional(weights_n) : std::nullopt, gradients,
                              head_vc.requires_grad(), static_cast<double*>(nullptr));
}

at::Tensor token_losses(const at::Tensor& hidden_nc, const at::Tensor& head_vc, const at::Tensor& targets_n,
                        double softcap) {
  at::Tensor each = at::empty({hidden_nc.size(0)}, at::kDouble);
  NextTokenLoss::forward(nullptr, hidden_nc, head_vc, targets_n, 1, softcap, {}, {}, /*gradients=*/false,
                         /*head_learns=*/false, each.mutable_data_ptr<double>());
  return each;
}

at::Tensor softly_capped(const at::Tensor& x, double softcap) {
  return softcap > 0 ? at::tanh(x / softcap) * softcap : x;
}

}  // namespace trireme::models::ops
