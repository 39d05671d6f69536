#include "train/parallel/flat_parameters.h"

#include <ATen/ops/zeros.h>

#include <algorithm>

#include "core/base/error.h"
#include "train/optim/flat_math.h"

namespace trireme::train {

FlatParameters::FlatParameters(models::ParameterList& parameters, at::ScalarType compute_type)
    : master_type_(compute_type == at::kDouble ? at::kDouble : at::kFloat), compute_type_(compute_type) {
  constexpr std::int64_t kAlignment = 16;  // a cache line of float32
  for (const bool tied : {false, true}) {
    for (auto parameter = parameters.all().rbegin(); parameter != parameters.all().rend(); ++parameter) {
      if ((parameter->tied_to != nullptr) != tied) continue;
      entries_.push_back({&*parameter, gradient_size_, parameter->elements(), -1});
      gradient_size_ += (parameter->elements() + kAlignment - 1) / kAlignment * kAlignment;
    }
    if (!tied) size_ = gradient_size_;
  }
  for (Entry& entry : entries_)
    for (const Entry& other : entries_)
      if (entry.parameter->tied_to == other.parameter) entry.tied_begin = other.begin;
  masters_ = at::zeros({size_}, master_type_);
  if (compute_type_ != master_type_) rounded_ = at::zeros({size_}, compute_type_);
  for (const Entry& entry : entries_) {
    const std::int64_t begin = entry.tied_begin >= 0 ? entry.tied_begin : entry.begin;
    const at::Tensor& row = rounded_.defined() ? rounded_ : masters_;
    entry.parameter->value =
        row.narrow(0, begin, entry.count).view(entry.parameter->shape).detach().requires_grad_(true);
  }
}

at::Tensor FlatParameters::master(const Entry& entry) const {
  return masters_.narrow(0, entry.tied_begin >= 0 ? entry.tied_begin : entry.begin, entry.count)
      .view(entry.parameter->shape);
}

void FlatParameters::initialise(std::uint64_t seed) {
  for (const Entry& entry : entries_) {
    if (entry.tied_begin >= 0) continue;
    if (master_type_ == at::kDouble)
      models::initial_values(*entry.parameter, seed, 0, entry.count, masters_.mutable_data_ptr<double>() + entry.begin);
    else
      models::initial_values(*entry.parameter, seed, 0, entry.count, masters_.mutable_data_ptr<float>() + entry.begin);
  }
}

void FlatParameters::publish(std::int64_t begin, std::int64_t count) {
  if (rounded_.defined())
    round_into(rounded_.mutable_data_ptr<c10::BFloat16>() + begin, masters_.const_data_ptr<float>() + begin, count);
}

at::ScalarType compute_type(const std::string& precision) {
  if (precision == "fp32") return at::kFloat;
  if (precision == "bf16") return at::kBFloat16;
  if (precision == "fp64") return at::kDouble;
  throw Error(ErrorCode::kBug, "precision ", precision, " has no type");
}

}  // namespace trireme::train
