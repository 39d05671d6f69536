#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>

namespace trireme::models {

/// Rotary position embedding: turns each channel pair of a query or key by an angle that grows with its position, so
/// that attention scores depend only on how far apart two tokens are.
///
/// Source: Su et al. 2021, "RoFormer", arXiv:2104.09864, section 3.2.2. Pairs are (i, i + D/2), as in converted Llama
/// weights, not (2i, 2i+1) as in the paper: weights trained with one pairing give noise with the other.
class RotaryEmbedding {
 public:
  /// @param head_width     D, even
  /// @param max_positions  tokens that fit
  /// @param base           the slowest pair turns once in about 2*pi*base tokens
  /// @throws Error kUsage  head_width is odd
  RotaryEmbedding(std::int64_t head_width, std::int64_t max_positions, double base);

  /// @param x_bhtd  angles are applied in float32 (float64 for float64) and rounded once
  /// @param offset  position of the first token
  /// @throws Error kBadInput  offset + T exceeds max_positions
  at::Tensor forward(const at::Tensor& x_bhtd, std::int64_t offset = 0) const;

 private:
  at::Tensor cos_, sin_;  // [positions, D/2] float32: bfloat16 cannot tell position 256 from 257
  at::Tensor cos64_, sin64_;
};

}  // namespace trireme::models
