#include "train/parallel/flat_parameters.h"

#include <ATen/ops/zeros.h>

#include <algorithm>

#include "core/base/error.h"
#include "train/optim/flat_math.h"

namespace trireme::train {
namespace {

constexpr int kTag = kMostTag;  // buckets of gradients have those below

}  // namespace

FlatParameters::FlatParameters(models::ParameterList& parameters, at::ScalarType compute_type, Communicator* owners)
    : layout_(parameters),
      master_type_(compute_type == at::kDouble ? at::kDouble : at::kFloat),
      compute_type_(compute_type),
      owners_(owners && owners->size() > 1 ? owners : nullptr),
      own_(stretches_of(layout_, owners_ ? owners_->rank() : 0, owners_ ? owners_->size() : 1)) {
  if (!own_.empty()) own_size_ = own_.back().at + own_.back().count;
  if (owners_) buckets_ = buckets_of(layout_, owners_->size());
  std::erase_if(buckets_, [&](const Bucket& bucket) { return bucket.begin >= layout_.size; });
  row_ = at::zeros({layout_.size}, compute_type_);
  masters_ = compute_type_ == master_type_ ? row_ : at::zeros({own_size_}, master_type_);
  for (const Entry& entry : layout_.entries) {
    const std::int64_t begin = entry.tied_begin >= 0 ? entry.tied_begin : entry.begin;
    entry.parameter->value =
        row_.narrow(0, begin, entry.count).view(entry.parameter->shape).detach().requires_grad_(true);
  }
}

FlatParameters::~FlatParameters() {
  // An error passes, and this process is about to end: until it has, messages may land here.
  if (!under_way_.empty()) {
    new auto(std::move(row_));
    new auto(std::move(under_way_));
  }
}

void* FlatParameters::row_at(std::int64_t begin) {
  return static_cast<std::byte*>(row_.mutable_data_ptr()) + begin * static_cast<std::int64_t>(row_.element_size());
}

void* FlatParameters::masters(const Stretch& stretch) {
  if (compute_type_ == master_type_) return row_at(stretch.begin);
  return masters_.mutable_data_ptr<float>() + stretch.at;
}

at::Tensor FlatParameters::master(const Entry& entry) const {
  return masters_.narrow(0, entry.tied_begin >= 0 ? entry.tied_begin : entry.begin, entry.count)
      .view(entry.parameter->shape);
}

void FlatParameters::initialise(std::uint64_t seed) {
  for (const Stretch& stretch : own_)
    for (const Entry& entry : layout_.entries) {
      if (entry.tied_begin >= 0) continue;
      const std::int64_t begin = std::max(entry.begin, stretch.begin);
      const std::int64_t end = std::min(entry.begin + entry.count, stretch.begin + stretch.count);
      if (begin >= end) continue;
      const auto fill = [&]<class T>(T* out) {
        models::initial_values(*entry.parameter, seed, begin - entry.begin, end - begin, out + (begin - stretch.begin));
      };
      if (master_type_ == at::kDouble)
        fill(static_cast<double*>(masters(stretch)));
      else
        fill(static_cast<float*>(masters(stretch)));
    }
}

void FlatParameters::publish() {
  begin_publish();
  for (const Stretch& stretch : own_) {
    round(stretch.begin, masters(stretch), stretch.count);
    publish(stretch);
  }
  end_publish();
}

void FlatParameters::begin_publish() {
  if (!is_shared_out()) return;
  const auto item = static_cast<std::size_t>(row_.element_size());
  for (const Bucket& bucket : buckets_)
    for (const Unit& unit : bucket.units)
      if (unit.owner != owners_->rank())
        under_way_.push_back(owners_->start_receive(
            row_at(unit.begin), static_cast<std::size_t>(unit.end - unit.begin) * item, unit.owner, kTag));
}

void FlatParameters::round(std::int64_t begin, const void* masters, std::int64_t count) {
  if (compute_type_ != master_type_)
    round_into(static_cast<c10::BFloat16*>(row_at(begin)), static_cast<const float*>(masters), count);
}

void FlatParameters::publish(const Stretch& stretch) {
  if (!is_shared_out()) return;
  const auto bytes = static_cast<std::size_t>(stretch.count) * static_cast<std::size_t>(row_.element_size());
  for (int offset = 1; offset < owners_->size(); ++offset)
    under_way_.push_back(
        owners_->start_send(row_at(stretch.begin), bytes, (owners_->rank() + offset) % owners_->size(), kTag));
}

void FlatParameters::end_publish() {
  for (const auto& transfer : under_way_) transfer->wait();
  under_way_.clear();
}

at::ScalarType compute_type(const std::string& precision) {
  if (precision == "fp32") return at::kFloat;
  if (precision == "bf16") return at::kBFloat16;
  if (precision == "fp64") return at::kDouble;
  throw Error(ErrorCode::kBug, "precision ", precision, " has no type");
}

}  // namespace trireme::train
