#include "models/layers/rotary_embedding.h"

#include <ATen/ops/empty.h>

#include <cmath>

#include "core/base/error.h"
#include "models/kernels/ops.h"

namespace trireme::models {

RotaryEmbedding::RotaryEmbedding(std::int64_t head_width, std::int64_t max_positions, double base) {
  if (head_width < 2 || head_width % 2 != 0)
    throw Error(ErrorCode::kUsage, "model.width / model.heads must be even for rotary positions, got ", head_width);
  const std::int64_t half = head_width / 2;
  cos64_ = at::empty({max_positions, half}, at::kDouble);
  sin64_ = at::empty({max_positions, half}, at::kDouble);
  auto* cosine = cos64_.mutable_data_ptr<double>();
  auto* sine = sin64_.mutable_data_ptr<double>();
  for (std::int64_t pair = 0; pair < half; ++pair) {
    const double frequency = std::pow(base, -2.0 * static_cast<double>(pair) / static_cast<double>(head_width));
    for (std::int64_t position = 0; position < max_positions; ++position) {
      const double angle = static_cast<double>(position) * frequency;
      cosine[position * half + pair] = std::cos(angle);
      sine[position * half + pair] = std::sin(angle);
    }
  }
  cos_ = cos64_.to(at::kFloat);
  sin_ = sin64_.to(at::kFloat);
}

at::Tensor RotaryEmbedding::forward(const at::Tensor& x_bhtd, std::int64_t offset) const {
  const std::int64_t tokens = x_bhtd.size(2);
  if (offset < 0 || tokens > cos_.size(0) - offset)
    throw Error(ErrorCode::kBadInput, "position ", offset + tokens, " lies beyond model.context ", cos_.size(0));
  const bool wide = x_bhtd.scalar_type() == at::kDouble;
  return ops::rotate(x_bhtd, (wide ? cos64_ : cos_).narrow(0, offset, tokens),
                     (wide ? sin64_ : sin_).narrow(0, offset, tokens));
}

}  // namespace trireme::models
