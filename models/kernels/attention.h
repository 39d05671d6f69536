#pragma once
#include <ATen/core/Tensor.h>

#include <utility>

#include "models/kernels/documents.h"

namespace trireme::models {

/// Causal attention of whole sequences or of documents, forward and backward, in float32 and bfloat16 on processors
/// with AVX-512: scores exist for 32 queries at a time, and heads that share keys and values read them where they are.
///
/// A query's result depends on its own sequence alone and not on threads. Products of bfloat16 are summed in float32;
/// probabilities and their gradients are rounded to bfloat16 before they are multiplied.
/// Source: Dao et al. 2022, arXiv:2205.14135 (what backward computes again, and from what).
///
/// With documents B is 1 and T their tokens; each gets the bits that it gets alone.
///
/// q [B, T, H, D], k and v [B, T, Hkv, D] with D side by side: any strides else. H is a multiple of Hkv; query head h
/// reads key head h * Hkv / H. Scale 1 / sqrt(D).
bool has_fused_attention(const at::Tensor& q_bthd);

/// @returns  [B, T, H, D], and the logarithm of each query's sum of exponentials, float32 [B, H, T]
std::pair<at::Tensor, at::Tensor> fused_attention(const at::Tensor& q_bthd, const at::Tensor& k_bthd,
                                                  const at::Tensor& v_bthd, const Documents* documents = nullptr);

/// Writes the gradients of q, k and v, shaped and strided like them, given that of the result.
void fused_attention_backward(const at::Tensor& gradient_bthd, const at::Tensor& out_bthd, const at::Tensor& logsumexp,
                              const at::Tensor& q_bthd, const at::Tensor& k_bthd, const at::Tensor& v_bthd,
                              const at::Tensor& q_gradient, const at::Tensor& k_gradient, const at::Tensor& v_gradient,
                              const Documents* documents = nullptr);

}  // namespace trireme::models
