#pragma once
#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

namespace trireme::models {

/// Whether this processor has the kernels that are named below for numbers of this type.
bool has_matrix_kernels(at::ScalarType type);

/// The type in which products of numbers of this type are computed: float32 for bfloat16 without kernels for it, since
/// LibTorch multiplies bfloat16 element by element on processors without AVX-512.
at::ScalarType product_type(at::ScalarType type);

/// out [M, N] = left [M, K] . right [K, N] (+ bias [N]) (+ addend [M, N]): the matrix product that layers stand on,
/// forward and backward, on ATen's threads.
///
/// In float32 and bfloat16 on processors with AVX-512 it has kernels of its own. There an element is a float32 sum over
/// stretches of 2,048 of the depth, each in its order, plus bias and addend, rounded once: its bits depend on its own
/// row and column alone, not on the number of rows, on threads or on where it lies. Elsewhere ATen computes it, in
/// product_type.
///
/// @param left, right  of one type; rows or columns side by side in memory, so also transposed and narrowed views
/// @param out          float32 or the operands' type, columns side by side; not what left or right lie in
/// @param addend       as `out`, or `out` itself
void multiply_into(const at::Tensor& out, const at::Tensor& left, const at::Tensor& right,
                   const std::optional<at::Tensor>& bias = {}, const std::optional<at::Tensor>& addend = {});

/// outs[l * rights + r] = lefts[l] . rights[r] (+ biases[r]): several products that share sides, each of which is read
/// once. The same bits as one after the other.
void multiply_each(const std::vector<at::Tensor>& outs, const std::vector<at::Tensor>& lefts,
                   const std::vector<at::Tensor>& rights, const std::vector<at::Tensor>& biases = {});

/// A new tensor of the operands' type.
at::Tensor multiplied(const at::Tensor& left, const at::Tensor& right, const std::optional<at::Tensor>& bias = {});

}  // namespace trireme::models
