#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "models/kernels/dropout.h"

/// The operations that layers are made of, so that a family has one forward whatever runs below it. Products (gemm.h),
/// attention (attention.h) and what only passes over memory (row_kernels.h) have kernels of their own. All work with
/// autograd, and in the type of their arguments (float32, bfloat16, float64) unless they say otherwise.
namespace trireme::models::ops {

/// x [..., I], weight [O, I], bias [O] or none -> [..., O]
at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias = {});

/// The same x times several matrices, three at most, which read it once; biases for all of them or none.
std::vector<at::Tensor> linear_each(const at::Tensor& x, const std::vector<at::Tensor>& weights,
                                    const std::vector<at::Tensor>& biases = {});

/// Rows of a table: ids [...] int64, table [V, C] -> [..., C]
at::Tensor embedding(const at::Tensor& ids, const at::Tensor& table);

/// Root-mean-square norm over the last axis, computed in float32 (float64 for float64) and rounded once.
/// Source: Zhang and Sennrich 2019, arXiv:1910.07467.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon);

/// (x - mean) / deviation * weight + bias over the last axis, computed and rounded likewise.
/// Source: Ba et al. 2016, arXiv:1607.06450.
at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, double epsilon);

/// Turns channel pairs (i, i + D/2) of x [B, H, T, D] by the angles of cos/sin [T, D/2], which are float32 (float64 for
/// float64).
at::Tensor rotate(const at::Tensor& x_bhtd, const at::Tensor& cos, const at::Tensor& sin);

/// silu(gate) * up. Source: Shazeer 2020, arXiv:2002.05202.
at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up);

/// gelu(x + bias) in its tanh approximation; bias as long as the last axis.
/// Source: Hendrycks and Gimpel 2016, arXiv:1606.08415, section 2.
at::Tensor bias_gelu(const at::Tensor& x, const at::Tensor& bias);

/// Causal attention, scale 1/sqrt(D). The last query sees all keys; H is a multiple of Hkv and heads share keys in
/// groups.
/// @param q_bhtd  [B, H, T, D]   @param k_bhld, v_bhld  [B, Hkv, L, D], L >= T
at::Tensor causal_attention(const at::Tensor& q_bhtd, const at::Tensor& k_bhld, const at::Tensor& v_bhld);

/// The same with some of the attention's probabilities dropped; L == T. Slower, and holds one head's [T, T] of them.
at::Tensor causal_attention(const at::Tensor& q_bhtd, const at::Tensor& k_bhtd, const at::Tensor& v_bhtd,
                            const DropoutMask& mask);

/// x [B, T, C] where `mask` keeps it, divided by the share that is kept, else 0.
at::Tensor dropout(const at::Tensor& x_btc, const DropoutMask& mask);

/// scale * sum of -log softmax(hidden . head^T)[target] over rows whose target is not negative. Logits exist for some
/// rows at a time only, and gradients are made in the same pass, so a batch's logits are never held.
/// @param hidden_nc  [N, C]   @param head_vc  [V, C]   @param targets_n  int64
/// @returns a float64 scalar
at::Tensor next_token_loss(const at::Tensor& hidden_nc, const at::Tensor& head_vc, const at::Tensor& targets_n,
                           double scale);

/// So many rows of logits next_token_loss() holds at a time: up to 32 MB, and never less than 64.
std::int64_t rows_of_logits(std::int64_t vocabulary, std::int64_t element_size);

}  // namespace trireme::models::ops
