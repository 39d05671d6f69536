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
constexpr std::int64_t kLeftBytes = 512 << 10;  // of packed rows: they stay in a core's second cache
constexpr std::int64_t kRightBytes = 3 << 20;   // of packed columns: they stay in the third

// A matrix as a product reads it. `deep`: elements that are multiplied one after the other lie side by side, and
// `stride` parts rows (on the left) or columns (on the right). Else the other way round.
struct Operand {
  const void* data;
  std::int64_t stride;
  bool deep;
  std::int64_t count;  // rows or columns
};

// Where the sums of a left and a right side go, and what is added to them.
struct Target {
  void* data;
  std::int64_t stride;
  const void* addend;
  std::int64_t addend_stride;
  const void* bias;
};

// Each left side times each right side; targets are in the order of left sides.
struct Products {
  std::vector<Operand> lefts, rights;
  std::vector<Target> targets;
  std::int64_t depth;
};

// Some tiles of 12 rows of one left side, or some panels of 32 columns of one right side.
struct Piece {
  std::size_t side;
  std::int64_t first, last;
};

// Cuts each side into near-equal pieces of at most `most` units of `size`.
std::vector<Piece> pieces_of(const std::vector<Operand>& sides, std::int64_t size, std::int64_t most) {
  std::vector<Piece> pieces;
  for (std::size_t side = 0; side < sides.size(); ++side) {
    const std::int64_t units = (sides[side].count + size - 1) / size, count = (units + most - 1) / most;
    for (std::int64_t i = 0; i < count; ++i) pieces.push_back({side, units * i / count, units * (i + 1) / count});
  }
  return pieces;
}

}  // namespace

TRIREME_AVX512_BEGIN
namespace avx512 {
namespace {

template <class Kind, int kLanes>
void pack_lanes(const Operand& operand, std::int64_t first, std::int64_t count, std::int64_t depth_begin,
                std::int64_t depth, std::uint32_t* out) {
  const auto* from = static_cast<const typename Kind::Scalar*>(operand.data);
  from += operand.deep ? first * operand.stride + depth_begin : depth_begin * operand.stride + first;
  pack<Kind, kLanes>(from, operand.stride, operand.deep, count, depth, out, panel_pitch(units_of<Kind>(depth), kLanes));
}

template <class Scalar, class Addend, class Out>
void multiply_block(auto kind, const std::uint32_t* left, std::int64_t rows, const std::uint32_t* right,
                    std::int64_t columns, std::int64_t units, const Scalar* bias, const Addend* addend,
                    std::int64_t addend_stride, Out* out, std::int64_t stride) {
  const std::int64_t left_pitch = panel_pitch(units, kRows), right_pitch = panel_pitch(units, kColumns);
  for (std::int64_t column = 0; column < columns; column += kColumns, right += right_pitch) {
    const __mmask16 low = lanes_below(columns - column), high = lanes_below(columns - column - 16);
    __m512 bias0 = _mm512_setzero_ps(), bias1 = bias0;
    if (bias) bias0 = load16(bias + column, low), bias1 = load16(bias + column + 16, high);
    for (std::int64_t row = 0; row < rows; row += kRows) {
      const Addend* add = addend ? addend + row * addend_stride + column : nullptr;
      Out* to = out + row * stride + column;
      for_tile<decltype(kind)>(PackedRows{left + row / kRows * left_pitch}, right, units,
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
void multiply_stretch(const Products& products, std::int64_t depth_begin, std::int64_t depth) {
  using Scalar = typename Kind::Scalar;
  const std::int64_t units = units_of<Kind>(depth);
  const std::int64_t left_pitch = panel_pitch(units, kRows), right_pitch = panel_pitch(units, kColumns);
  const std::int64_t threads = at::get_num_threads();
  std::int64_t tiles = 0;
  for (const Operand& left : products.lefts) tiles += (left.count + kRows - 1) / kRows;
  std::int64_t most_tiles = std::max<std::int64_t>(1, kLeftBytes / (left_pitch * 4));
  if (threads > 1) most_tiles = std::clamp<std::int64_t>(tiles / (2 * threads), 1, most_tiles);
  const std::vector<Piece> left_pieces = pieces_of(products.lefts, kRows, most_tiles);

  // Right sides are taken in groups that stay in cache while all left sides pass by.
  const std::int64_t most_panels = std::max<std::int64_t>(1, kRightBytes / (right_pitch * 4));
  const std::vector<Piece> right_pieces = pieces_of(products.rights, kColumns, most_panels);
  const at::Tensor memory = at::empty({most_panels * right_pitch}, at::kInt);
  auto* packed = reinterpret_cast<std::uint32_t*>(memory.mutable_data_ptr<int>());
  for (std::size_t begin = 0, end = 0; begin < right_pieces.size(); begin = end) {
    std::vector<std::uint32_t*> places;
    for (std::uint32_t* next = packed; end < right_pieces.size(); ++end) {
      const Piece& piece = right_pieces[end];
      const std::int64_t size = (piece.last - piece.first) * right_pitch;
      if (next + size > packed + most_panels * right_pitch) break;
      places.push_back(next);
      next += size;
      const Operand& right = products.rights[piece.side];
      at::parallel_for(piece.first, piece.last, 16, [&](std::int64_t first, std::int64_t last) {
        pack_lanes<Kind, kColumns>(right, first * kColumns, std::min(right.count, last * kColumns) - first * kColumns,
                                   depth_begin, depth, places.back() + (first - piece.first) * right_pitch);
      });
    }
    at::parallel_for(0, static_cast<std::int64_t>(left_pieces.size()), 1, [&](std::int64_t first, std::int64_t last) {
      const at::Tensor left_memory = at::empty({most_tiles * left_pitch}, at::kInt);
      auto* packed_left = reinterpret_cast<std::uint32_t*>(left_memory.mutable_data_ptr<int>());
      for (std::int64_t i = first; i < last; ++i) {
        const Piece& rows = left_pieces[static_cast<std::size_t>(i)];
        const Operand& left = products.lefts[rows.side];
        const std::int64_t row = rows.first * kRows, count = std::min(left.count, rows.last * kRows) - row;
        pack_lanes<Kind, kRows>(left, row, count, depth_begin, depth, packed_left);
        for (std::size_t j = begin; j < end; ++j) {
          const Piece& columns = right_pieces[j];
          const Target& target = products.targets[rows.side * products.rights.size() + columns.side];
          const std::int64_t column = columns.first * kColumns;
          const auto* bias = static_cast<const Scalar*>(target.bias);
          const auto* addend = static_cast<const Addend*>(target.addend);
          multiply_block(Kind{}, packed_left, count, places[j - begin],
                         std::min(products.rights[columns.side].count, columns.last * kColumns) - column, units,
                         bias ? bias + column : nullptr,
                         addend ? addend + row * target.addend_stride + column : nullptr, target.addend_stride,
                         static_cast<Out*>(target.data) + row * target.stride + column, target.stride);
        }
      }
    });
  }
}

template <class Kind, class Out>
void multiply(const Products& products) {
  const std::int64_t depth = products.depth;
  if (depth <= kDepth) return multiply_stretch<Kind, Out, Out>(products, 0, depth);
  // Sums wait in float32 for the next stretch.
  std::vector<at::Tensor> waiting;
  Products first = products, between = products, last = products;
  for (std::size_t i = 0; i < products.targets.size(); ++i) {
    const Target& target = products.targets[i];
    Target sums = {target.data, target.stride, target.data, target.stride, nullptr};
    if constexpr (!std::is_same_v<Out, float>) {
      const std::int64_t rows = products.lefts[i / products.rights.size()].count;
      const std::int64_t columns = products.rights[i % products.rights.size()].count;
      void* data = waiting.emplace_back(at::empty({rows, columns}, at::kFloat)).mutable_data_ptr();
      sums = {data, columns, data, columns, nullptr};
    }
    first.targets[i] = {sums.data, sums.stride, target.addend, target.addend_stride, target.bias};
    between.targets[i] = sums;
    last.targets[i] = {target.data, target.stride, sums.addend, sums.addend_stride, nullptr};
  }
  for (std::int64_t begin = 0; begin < depth; begin += kDepth) {
    const std::int64_t count = std::min(kDepth, depth - begin);
    if (begin == 0)
      multiply_stretch<Kind, Out, float>(first, begin, count);
    else if (begin + kDepth < depth)
      multiply_stretch<Kind, float, float>(between, begin, count);
    else
      multiply_stretch<Kind, float, Out>(last, begin, count);
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

at::ScalarType product_type(at::ScalarType type) {
  return type == at::kBFloat16 && !has_matrix_kernels(type) ? at::kFloat : type;
}

namespace {

// A product without kernels of our own, of operands in the type that they are multiplied in: rounded once, at the end,
// as the kernels do.
void multiply_by_aten(const at::Tensor& out, const at::Tensor& left, const at::Tensor& right,
                      const std::optional<at::Tensor>& bias, const std::optional<at::Tensor>& addend) {
  at::Tensor sum = at::matmul(left, right);
  if (bias) sum.add_(*bias);
  if (addend) sum.add_(*addend);
  out.copy_(sum);
}

// @param kept  holds a copy of a matrix that cannot be read as it lies
Operand operand(const at::Tensor& matrix_in, int depth_axis, std::vector<at::Tensor>& kept) {
  const auto is_dense = [&](int axis) { return matrix_in.stride(axis) == 1 || matrix_in.size(axis) == 1; };
  const at::Tensor matrix = is_dense(0) || is_dense(1) ? matrix_in : matrix_in.contiguous();
  kept.push_back(matrix);
  const bool deep = matrix.stride(depth_axis) == 1 || matrix.size(depth_axis) == 1;
  return {matrix.const_data_ptr(), matrix.stride(deep ? 1 - depth_axis : depth_axis), deep,
          matrix.size(1 - depth_axis)};
}

void run(const Products& products, at::ScalarType type, at::ScalarType out_type) {
  const auto run_kind = [&]<class Kind>(Kind) {
    if (out_type == at::kFloat)
      avx512::multiply<Kind, float>(products);
    else
      avx512::multiply<Kind, typename Kind::Scalar>(products);
  };
  if (type == at::kFloat)
    run_kind(avx512::Float32{});
  else
    run_kind(avx512::Bfloat16{});
}

}  // namespace

void multiply_into(const at::Tensor& out, const at::Tensor& left, const at::Tensor& right,
                   const std::optional<at::Tensor>& bias, const std::optional<at::Tensor>& addend) {
  const at::ScalarType type = left.scalar_type();
  if (!has_matrix_kernels(type) || out.numel() == 0 || left.size(1) == 0) {
    multiply_by_aten(out, left.to(product_type(type)), right.to(product_type(type)), bias, addend);
    return;
  }
  std::vector<at::Tensor> kept;
  const Operand a = operand(left, 1, kept), b = operand(right, 0, kept);
  run({{a},
       {b},
       {{out.mutable_data_ptr(), out.stride(0), addend ? addend->const_data_ptr() : nullptr,
         addend ? addend->stride(0) : 0, bias ? bias->const_data_ptr() : nullptr}},
       left.size(1)},
      type, out.scalar_type());
}

void multiply_each(const std::vector<at::Tensor>& outs, const std::vector<at::Tensor>& lefts,
                   const std::vector<at::Tensor>& rights, const std::vector<at::Tensor>& biases) {
  const at::ScalarType type = lefts.at(0).scalar_type();
  const auto bias_of = [&](std::size_t right) {
    return biases.empty() ? std::optional<at::Tensor>() : std::optional(biases.at(right));
  };
  bool has_work = has_matrix_kernels(type) && lefts[0].size(1) > 0;
  for (const at::Tensor& out : outs) has_work = has_work && out.numel() > 0;
  if (!has_work) {
    std::vector<at::Tensor> wide_rights;
    for (const at::Tensor& right : rights) wide_rights.push_back(right.to(product_type(type)));
    for (std::size_t l = 0; l < lefts.size(); ++l) {
      const at::Tensor left = lefts[l].to(product_type(type));
      for (std::size_t r = 0; r < rights.size(); ++r)
        multiply_by_aten(outs[l * rights.size() + r], left, wide_rights[r], bias_of(r), {});
    }
    return;
  }
  std::vector<at::Tensor> kept;
  Products products;
  products.depth = lefts[0].size(1);
  for (const at::Tensor& left : lefts) products.lefts.push_back(operand(left, 1, kept));
  for (const at::Tensor& right : rights) products.rights.push_back(operand(right, 0, kept));
  for (std::size_t i = 0; i < outs.size(); ++i) {
    const auto bias = bias_of(i % rights.size());
    products.targets.push_back(
        {outs[i].mutable_data_ptr(), outs[i].stride(0), nullptr, 0, bias ? bias->const_data_ptr() : nullptr});
  }
  run(products, type, outs[0].scalar_type());
}

at::Tensor multiplied(const at::Tensor& left, const at::Tensor& right, const std::optional<at::Tensor>& bias) {
  const at::Tensor out = at::empty({left.size(0), right.size(1)}, left.options());
  multiply_into(out, left, right, bias);
  return out;
}

}  // namespace trireme::models
