#include "models/kernels/gemm.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/matmul.h>

#include <algorithm>

#include "models/kernels/avx512.h"

namespace trireme::models {
namespace {

constexpr std::int64_t kDepth = 2048;           // elements that one register tile goes through at a time
constexpr std::int64_t kLeftBytes = 384 << 10;  // of packed rows: they stay in a core's second cache
constexpr std::int64_t kRightBytes = 3 << 20;   // of packed columns: they stay in the third

// A matrix as a product reads it. `deep`: elements that are multiplied one after the other lie side by side, and
// `stride` parts rows (on the left) or columns (on the right). Else the other way round.
struct Operand {
  const void* data;
  std::int64_t stride;
  bool deep;
};

// Sums on their way into the result.
struct Target {
  void* data;
  std::int64_t stride;
  const void* addend;
  std::int64_t addend_stride;
};

}  // namespace

TRIREME_AVX512_BEGIN
namespace avx512 {
namespace {

template <class Kind, int kLanes>
void pack_lanes(const Operand& operand, std::int64_t first, std::int64_t count, std::int64_t depth_begin,
                std::int64_t depth, std::uint32_t* out) {
  const auto* from = static_cast<const typename Kind::Scalar*>(operand.data);
  from += operand.deep ? first * operand.stride + depth_begin : depth_begin * operand.stride + first;
  pack<Kind, kLanes>(from, operand.stride, operand.deep, count, depth, out);
}

template <class Scalar, class Addend, class Out>
void multiply_block(auto kind, const std::uint32_t* left, std::int64_t rows, const std::uint32_t* right,
                    std::int64_t columns, std::int64_t units, const Scalar* bias, const Addend* addend,
                    std::int64_t addend_stride, Out* out, std::int64_t stride) {
  for (std::int64_t column = 0; column < columns; column += kColumns, right += units * kColumns) {
    const __mmask16 low = lanes_below(columns - column), high = lanes_below(columns - column - 16);
    __m512 bias0 = _mm512_setzero_ps(), bias1 = bias0;
    if (bias) bias0 = load16(bias + column, low), bias1 = load16(bias + column + 16, high);
    for (std::int64_t row = 0; row < rows; row += kRows) {
      const Addend* add = addend ? addend + row * addend_stride + column : nullptr;
      Out* to = out + row * stride + column;
      for_tile<decltype(kind)>(left + row * units, right, units,
                               static_cast<int>(std::min<std::int64_t>(kRows, rows - row)),
                               [&](int r, __m512 x, __m512 y) __attribute__((always_inline)) {
                                 if (bias) x = _mm512_add_ps(x, bias0), y = _mm512_add_ps(y, bias1);
                                 if (add) {
                                   x = _mm512_add_ps(x, load16(add + r * addend_stride, low));
                                   y = _mm512_add_ps(y, load16(add + r * addend_stride + 16, high));
                                 }
                                 store16(to + r * stride, low, x);
                                 store16(to + r * stride + 16, high, y);
                               });
    }
  }
}

// One stretch of the depth.
template <class Kind, class Addend, class Out>
void multiply_stretch(std::int64_t m, std::int64_t n, std::int64_t depth_begin, std::int64_t depth, const Operand& left,
                      const Operand& right, const typename Kind::Scalar* bias, const Target& target) {
  const std::int64_t units = (depth + Kind::kDepth - 1) / Kind::kDepth;
  const std::int64_t panels = (n + kColumns - 1) / kColumns, tiles = (m + kRows - 1) / kRows;
  const std::int64_t group = std::clamp<std::int64_t>(kRightBytes / (units * kColumns * 4), 1, panels);
  const at::Tensor right_memory = at::empty({group * units * kColumns}, at::kInt);
  auto* packed_right = reinterpret_cast<std::uint32_t*>(right_memory.mutable_data_ptr<int>());
  for (std::int64_t first_panel = 0; first_panel < panels; first_panel += group) {
    const std::int64_t first_column = first_panel * kColumns, columns = std::min(group * kColumns, n - first_column);
    at::parallel_for(0, (columns + kColumns - 1) / kColumns, 8, [&](std::int64_t begin, std::int64_t end) {
      pack_lanes<Kind, kColumns>(right, first_column + begin * kColumns,
                                 std::min(columns, end * kColumns) - begin * kColumns, depth_begin, depth,
                                 packed_right + begin * units * kColumns);
    });
    const std::int64_t fitting = std::max<std::int64_t>(1, kLeftBytes / (units * kRows * 4));
    const std::int64_t threads = at::get_num_threads();
    const std::int64_t blocks =
        std::max((tiles + fitting - 1) / fitting, std::min(tiles, threads > 1 ? 2 * threads : 1));
    at::parallel_for(0, blocks, 1, [&](std::int64_t begin, std::int64_t end) {
      const at::Tensor left_memory = at::empty({(tiles + blocks - 1) / blocks * kRows * units}, at::kInt);
      auto* packed_left = reinterpret_cast<std::uint32_t*>(left_memory.mutable_data_ptr<int>());
      for (std::int64_t block = begin; block < end; ++block) {
        const std::int64_t row = tiles * block / blocks * kRows;
        const std::int64_t rows = std::min(m, tiles * (block + 1) / blocks * kRows) - row;
        pack_lanes<Kind, kRows>(left, row, rows, depth_begin, depth, packed_left);
        const auto* addend = static_cast<const Addend*>(target.addend);
        multiply_block(Kind{}, packed_left, rows, packed_right, columns, units, bias ? bias + first_column : nullptr,
                       addend ? addend + row * target.addend_stride + first_column : nullptr, target.addend_stride,
                       static_cast<Out*>(target.data) + row * target.stride + first_column, target.stride);
      }
    });
  }
}

template <class Kind, class Out>
void multiply(std::int64_t m, std::int64_t n, std::int64_t depth, const Operand& left, const Operand& right,
              const typename Kind::Scalar* bias, const Target& target) {
  if (depth <= kDepth) return multiply_stretch<Kind, Out, Out>(m, n, 0, depth, left, right, bias, target);
  // Sums wait in float32 for the next stretch.
  const at::Tensor waiting = std::is_same_v<Out, float> ? at::Tensor() : at::empty({m, n}, at::kFloat);
  const Target sums = waiting.defined() ? Target{waiting.mutable_data_ptr(), n, waiting.const_data_ptr(), n}
                                        : Target{target.data, target.stride, target.data, target.stride};
  for (std::int64_t begin = 0; begin < depth; begin += kDepth) {
    const std::int64_t count = std::min(kDepth, depth - begin);
    if (begin == 0)
      multiply_stretch<Kind, Out, float>(m, n, begin, count, left, right, bias,
                                         {sums.data, sums.stride, target.addend, target.addend_stride});
    else if (begin + kDepth < depth)
      multiply_stretch<Kind, float, float>(m, n, begin, count, left, right, nullptr, sums);
    else
      multiply_stretch<Kind, float, Out>(m, n, begin, count, left, right, nullptr,
                                         {target.data, target.stride, sums.addend, sums.stride});
  }
}

}  // namespace
}  // namespace avx512
TRIREME_AVX512_END

bool has_matrix_kernels(at::ScalarType type) {
  static const bool has_float = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                                __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  static const bool has_bfloat16 = has_float && __builtin_cpu_supports("avx512bf16");
  return type == at::kFloat ? has_float : type == at::kBFloat16 && has_bfloat16;
}

namespace {

Operand operand(const at::Tensor& matrix, int depth_axis) {
  const bool deep = matrix.stride(depth_axis) == 1 || matrix.size(depth_axis) == 1;
  return {matrix.const_data_ptr(), matrix.stride(deep ? 1 - depth_axis : depth_axis), deep};
}

bool is_readable(const at::Tensor& matrix) {
  return matrix.stride(0) == 1 || matrix.stride(1) == 1 || matrix.size(0) == 1 || matrix.size(1) == 1;
}

}  // namespace

void multiply_into(const at::Tensor& out, const at::Tensor& left_in, const at::Tensor& right_in,
                   const std::optional<at::Tensor>& bias, const std::optional<at::Tensor>& addend) {
  const at::ScalarType type = left_in.scalar_type();
  if (!has_matrix_kernels(type) || out.numel() == 0 || left_in.size(1) == 0) {
    at::Tensor sum = at::matmul(left_in, right_in);
    if (bias) sum.add_(*bias);
    if (addend) sum = sum.to(out.scalar_type()).add_(*addend);
    out.copy_(sum);
    return;
  }
  const at::Tensor left = is_readable(left_in) ? left_in : left_in.contiguous();
  const at::Tensor right = is_readable(right_in) ? right_in : right_in.contiguous();
  const std::int64_t m = left.size(0), depth = left.size(1), n = right.size(1);
  const Target target{out.mutable_data_ptr(), out.stride(0), addend ? addend->const_data_ptr() : nullptr,
                      addend ? addend->stride(0) : 0};
  const Operand a = operand(left, 1), b = operand(right, 0);
  const auto run = [&]<class Kind>(Kind) {
    using Scalar = typename Kind::Scalar;
    const auto* row = bias ? static_cast<const Scalar*>(bias->const_data_ptr()) : nullptr;
    if (out.scalar_type() == at::kFloat)
      avx512::multiply<Kind, float>(m, n, depth, a, b, row, target);
    else
      avx512::multiply<Kind, Scalar>(m, n, depth, a, b, row, target);
  };
  if (type == at::kFloat)
    run(avx512::Float32{});
  else
    run(avx512::Bfloat16{});
}

at::Tensor multiplied(const at::Tensor& left, const at::Tensor& right, const std::optional<at::Tensor>& bias) {
  const at::Tensor out = at::empty({left.size(0), right.size(1)}, left.options());
  multiply_into(out, left, right, bias);
  return out;
}

}  // namespace trireme::models
