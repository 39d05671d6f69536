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
    : FlatParameters(RowLayout(parameters), {&parameters}, {}, *make_self_communicator(), compute_type, owners) {}

FlatParameters::FlatParameters(RowLayout layout, const std::vector<models::ParameterList*>& local, Placement placement,
                               Communicator& pipeline, at::ScalarType compute_type, Communicator* owners)
    : layout_(std::move(layout)),
      placement_(pipeline.size() > 1 ? std::move(placement) : all_here(layout_)),
      pipeline_(pipeline.size() > 1 ? &pipeline : nullptr),
      master_type_(compute_type == at::kDouble ? at::kDouble : at::kFloat),
      compute_type_(compute_type),
      owners_(owners && owners->size() > 1 ? owners : nullptr),
      offset_(layout_.segments.size(), -1) {
  std::vector<std::size_t> borrowed;
  std::int64_t size = 0;
  for (std::size_t i = 0; i < layout_.segments.size(); ++i) {
    const RowLayout::Segment& segment = layout_.segments[i];
    if (segment.tied_begin >= 0 || !(is_here(i) || is_borrowed(i))) continue;
    if (!is_here(i)) borrowed.push_back(i);
    offset_[i] = size;
    size += segment.end - segment.begin;
  }
  const int rank = owners_ ? owners_->rank() : 0, ranks = owners_ ? owners_->size() : 1;
  own_ = stretches_of(layout_, placement_.at(stage()), rank, ranks);
  borrowed_ = stretches_of(layout_, borrowed, rank, ranks);
  if (!own_.empty()) own_size_ = own_.back().at + own_.back().count;
  if (owners_) buckets_ = buckets_of(layout_, ranks);
  std::erase_if(buckets_, [&](const Bucket& bucket) { return offset_[bucket.segment] < 0; });
  row_ = at::zeros({size}, compute_type_);
  masters_ = compute_type_ == master_type_ ? row_ : at::zeros({own_size_}, master_type_);
  for (Entry& entry : layout_.entries)
    for (models::ParameterList* list : local)
      for (models::Parameter& parameter : list->all()) {
        if (parameter.name != entry.parameter->name) continue;
        const std::int64_t begin = entry.tied_begin >= 0 ? entry.tied_begin : entry.begin;
        parameter.value =
            row_.narrow(0, offset_of(begin), entry.count).view(parameter.shape).detach().requires_grad_(true);
        entry.parameter = &parameter;
      }
}

FlatParameters::~FlatParameters() {
  // An error passes, and this process is about to end: until it has, messages may land here.
  if (!under_way_.empty() || !borrowing_.empty()) {
    new auto(std::move(row_));
    new auto(std::move(under_way_));
    new auto(std::move(borrowing_));
  }
}

std::int64_t FlatParameters::offset_of(std::int64_t begin) const {
  const std::size_t segment = layout_.segment_at(begin);
  return offset_[segment] + begin - layout_.segments[segment].begin;
}

void* FlatParameters::row_at(std::int64_t begin) {
  return static_cast<std::byte*>(row_.mutable_data_ptr()) +
         offset_of(begin) * static_cast<std::int64_t>(row_.element_size());
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
  const auto bytes = [&](std::int64_t count) {
    return static_cast<std::size_t>(count) * static_cast<std::size_t>(row_.element_size());
  };
  for (const Stretch& stretch : borrowed_)
    borrowing_.push_back(pipeline_->start_receive(row_at(stretch.begin), bytes(stretch.count),
                                                  placement_.home[layout_.segment_at(stretch.begin)], kTag));
  for (const Bucket& bucket : buckets_)
    for (const Unit& unit : bucket.units)
      if (unit.owner != owners_->rank())
        under_way_.push_back(
            owners_->start_receive(row_at(unit.begin), bytes(unit.end - unit.begin), unit.owner, kTag));
}

void FlatParameters::round(std::int64_t begin, const void* masters, std::int64_t count) {
  if (compute_type_ != master_type_)
    round_into(static_cast<c10::BFloat16*>(row_at(begin)), static_cast<const float*>(masters), count);
}

void FlatParameters::publish(const Stretch& stretch) {
  if (const int reader = placement_.reader[layout_.segment_at(stretch.begin)]; reader >= 0)
    under_way_.push_back(pipeline_->start_send(
        row_at(stretch.begin), static_cast<std::size_t>(stretch.count) * static_cast<std::size_t>(row_.element_size()),
        reader, kTag));
  send_to_owners(stretch.begin, stretch.count);
}

void FlatParameters::send_to_owners(std::int64_t begin, std::int64_t count) {
  if (!is_shared_out()) return;
  const auto bytes = static_cast<std::size_t>(count) * static_cast<std::size_t>(row_.element_size());
  for (int offset = 1; offset < owners_->size(); ++offset)
    under_way_.push_back(owners_->start_send(row_at(begin), bytes, (owners_->rank() + offset) % owners_->size(), kTag));
}

void FlatParameters::end_publish() {
  // What this rank would own if the segment were here comes from its like in the other stage.
  for (std::size_t i = 0; i < borrowing_.size(); ++i) {
    borrowing_[i]->wait();
    send_to_owners(borrowed_[i].begin, borrowed_[i].count);
  }
  borrowing_.clear();
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
