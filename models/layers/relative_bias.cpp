#include "models/layers/relative_bias.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/log.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>

namespace trireme::models {
namespace {

// The range of each distance, key less query. In float32 and by these operations, as where ranges meet one rounding
// decides.
at::Tensor buckets_of(const at::Tensor& distance, const RelativeBias::Options& options) {
  std::int64_t buckets = options.buckets;
  at::Tensor first = at::zeros_like(distance), away;
  if (options.both_sides) {
    buckets /= 2;
    first = (distance > 0).to(at::kLong) * buckets;
    away = distance.abs();
  } else {
    away = distance.clamp_max(0).neg();
  }
  const std::int64_t exact = buckets / 2;
  const at::Tensor far = exact + (at::log(away.to(at::kFloat) / static_cast<double>(exact)) /
                                  std::log(static_cast<double>(options.distance) / static_cast<double>(exact)) *
                                  static_cast<double>(buckets - exact))
                                     .to(at::kLong);
  return first + at::where(away < exact, away, far.clamp_max(buckets - 1));
}

}  // namespace

RelativeBias::RelativeBias(ParameterList& parameters, const std::string& prefix, std::int64_t heads, Init init,
                           const Options& options)
    : options_(options), weight_(&parameters.add(prefix + "weight", {options.buckets, heads}, init, Role::kTable)) {}

at::Tensor RelativeBias::forward(std::int64_t queries, std::int64_t keys, std::int64_t offset) const {
  const at::Tensor distance = at::arange(keys).unsqueeze(0) - at::arange(offset, offset + queries).unsqueeze(1);
  return at::embedding(weight_->value, buckets_of(distance, options_)).permute({2, 0, 1});
}

}  // namespace trireme::models
