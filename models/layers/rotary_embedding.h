#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "models/config.h"
#include "models/kernels/documents.h"

namespace trireme::models {

/// Rotary position embedding: turns each channel pair of a query or key by an angle that grows with its position, so
/// that attention scores depend only on how far apart two tokens are.
///
/// Source: Su et al. 2021, "RoFormer", arXiv:2104.09864, section 3.2.2. Pairs are (i, i + R/2), as in converted Llama
/// weights, not (2i, 2i+1) as in the paper: weights trained with one pairing give noise with the other. R is
/// model.rope-share of the head's channels; those behind do not turn.
class RotaryEmbedding {
 public:
  /// @throws Error kUsage  all channels turn and are odd in number; rope-scaling that does not fit them
  explicit RotaryEmbedding(const ModelConfig& config);

  /// @param x_bhtd  angles are applied in float32 (float64 for float64) and rounded once
  /// @param offset  position of the first token
  /// @throws Error kBadInput  offset + T exceeds model.context
  at::Tensor forward(const at::Tensor& x_bhtd, std::int64_t offset = 0) const;
  /// Of documents, each of which begins at position 0. @param x_bhtd  B is 1
  at::Tensor forward(const at::Tensor& x_bhtd, const Documents& documents) const;

  /// Sequences longer than this turn by other angles, from their first token on (longrope): keys of shorter ones that
  /// were kept do not fit them.
  std::optional<std::int64_t> border() const { return border_; }

 private:
  // [positions, R/2] each, as float32: bfloat16 cannot tell position 256 from 257.
  struct Table {
    at::Tensor cos, sin;
  };
  Table table(bool long_sequence, bool wide, std::int64_t positions) const;
  void expect_fits(std::int64_t positions) const;
  bool is_long(std::int64_t positions) const { return border_ && positions > *border_; }

  std::int64_t context_;
  std::vector<double> frequencies_[2];  // of short and long sequences
  double scale_ = 1;
  std::optional<std::int64_t> border_;
  mutable std::mutex mutex_;
  mutable Table tables_[2][2];  // made as far as they were asked for
};

}  // namespace trireme::models
