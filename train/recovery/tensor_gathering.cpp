#include "train/recovery/tensor_gathering.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "train/parallel/sites.h"

namespace trireme::train {

std::vector<StateRow> state_rows(FlatParameters& parameters, AdamW& optimizer) {
  const auto state = [](at::Tensor& row) {
    return [&row](const Stretch& stretch) {
      return static_cast<std::byte*>(row.mutable_data_ptr()) +
             stretch.at * static_cast<std::int64_t>(row.element_size());
    };
  };
  std::vector<StateRow> rows = {
      {models::kWeightsPrefix,
       [&parameters](const Stretch& stretch) { return static_cast<std::byte*>(parameters.masters(stretch)); }},
      {"optimizer/first-moment/", state(optimizer.first_moment())},
      {"optimizer/second-moment/", state(optimizer.second_moment())}};
  if (optimizer.average().defined()) rows.push_back({models::kAveragePrefix, state(optimizer.average())});
  return rows;
}

models::StoredType stored_type(const FlatParameters& parameters) {
  return parameters.master_type() == at::kDouble ? models::StoredType::kFloat64 : models::StoredType::kFloat32;
}

std::optional<Overlap> overlap(const FlatParameters::Entry& entry, std::int64_t begin, std::int64_t count) {
  const std::int64_t first = std::max(entry.begin, begin), last = std::min(entry.begin + entry.count, begin + count);
  if (first >= last) return std::nullopt;
  return Overlap{first - begin, first - entry.begin, last - first};
}

TensorGathering::TensorGathering(const Mesh& mesh, FlatParameters& parameters, std::vector<StateRow> rows)
    : mesh_(mesh),
      parameters_(parameters),
      rows_(std::move(rows)),
      item_(static_cast<std::int64_t>(at::elementSize(parameters.master_type()))),
      units_(parameters.layout().segments.size()) {
  if (parameters.is_shared_out())
    for (const Bucket& bucket : buckets_of(parameters.layout(), parameters.groups().ranks))
      for (const Unit& unit : bucket.units) units_[bucket.segment].push_back(unit);
  const int me = mesh.world().rank();
  for (const Slice& slice : all_slices()) {
    if (slice.writer != me) {
      for (const Part& part : parts(slice))
        if (part.from == me)
          sends_.push_back(mesh.world().start_send(own(slice, part), static_cast<std::size_t>(part.count * item_),
                                                   slice.writer, kCheckpointParts));
      continue;
    }
    const FlatParameters::Entry& entry = parameters.entries()[slice.entry];
    const std::vector<std::int64_t>& shape = entry.parameter->shape;
    std::vector<std::int64_t> offset(shape.size(), 0), size = shape;
    if (!shape.empty()) {
      offset[0] = slice.begin / (entry.count / shape[0]);
      size[0] = slice.count / (entry.count / shape[0]);
    }
    mine_.push_back(slice);
    slices_.push_back({rows_[slice.row].prefix + entry.parameter->name, stored_type(parameters), shape,
                       std::move(offset), std::move(size)});
  }
}

TensorGathering::~TensorGathering() {
  // An error passes, and this process is about to end: until it has, messages may land in these.
  for (Incoming& incoming : incoming_)
    if (!incoming.under_way.empty()) new auto(std::move(incoming));
}

// Tensors are dealt out so that each rank writes about the same number of bytes: rank r takes what ends in its stretch.
std::vector<TensorGathering::Slice> TensorGathering::all_slices() const {
  const std::vector<FlatParameters::Entry>& entries = parameters_.entries();
  std::int64_t total = 0, before = 0;
  for (const auto& entry : entries)
    if (entry.tied_begin < 0) total += entry.count;
  std::vector<Slice> slices;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const FlatParameters::Entry& entry = entries[i];
    if (entry.tied_begin >= 0) continue;
    const auto writer = static_cast<int>((before + entry.count / 2) * mesh_.world().size() / total);
    before += entry.count;
    const std::vector<std::int64_t>& shape = entry.parameter->shape;
    const std::int64_t one = shape.empty() ? entry.count : entry.count / shape[0];
    const std::int64_t most = std::max<std::int64_t>(1, models::kSliceBytes / (one * item_)) * one;
    for (std::size_t row = 0; row < rows_.size(); ++row)
      for (std::int64_t begin = 0; begin < entry.count; begin += most)
        slices.push_back({i, row, begin, std::min(most, entry.count - begin), writer});
  }
  return slices;
}

// From the writer's own place along the other axes: each writer has all it needs in its group and its pipeline.
std::vector<TensorGathering::Part> TensorGathering::parts(const Slice& slice) const {
  const FlatParameters::Entry& entry = parameters_.entries()[slice.entry];
  const std::size_t segment = parameters_.layout().segment_at(entry.begin);
  const MeshShape& shape = mesh_.shape();
  const int stage = shape.neighbour(slice.writer, Axis::kPipeline, parameters_.placement().home[segment]);
  const std::int64_t begin = entry.begin + slice.begin, end = begin + slice.count;
  if (!parameters_.is_shared_out()) return {{stage, begin, slice.count}};
  std::vector<Part> parts;
  const int place = shape.coordinate(Axis::kData, slice.writer);
  for (const Unit& unit : units_[segment])
    if (const std::int64_t first = std::max(begin, unit.begin), last = std::min(end, unit.end); first < last)
      parts.push_back(
          {shape.neighbour(stage, Axis::kData, parameters_.groups().keeper(unit, place)), first, last - first});
  return parts;
}

const std::byte* TensorGathering::own(const Slice& slice, const Part& part) const {
  const std::vector<Stretch>& own = parameters_.own();
  const auto next = std::ranges::upper_bound(own, part.begin, {}, &Stretch::begin);
  const Stretch& stretch = next[-1];
  return rows_[slice.row].place(stretch) + (part.begin - stretch.begin) * item_;
}

void TensorGathering::start_next() {
  const Slice& slice = mine_[started_++];
  const std::int64_t first = parameters_.entries()[slice.entry].begin + slice.begin;
  const int me = mesh_.world().rank();
  const std::vector<Part> parts = this->parts(slice);
  Incoming& incoming = incoming_.emplace_back();
  if (parts.size() == 1 && parts[0].from == me) {
    incoming.whole = own(slice, parts[0]);
    return;
  }
  // Not of tensors' memory, which would be kept for the next save.
  incoming.bytes = std::make_unique_for_overwrite<std::byte[]>(static_cast<std::size_t>(slice.count * item_));
  incoming.whole = incoming.bytes.get();
  for (const Part& part : parts) {
    std::byte* const into = incoming.bytes.get() + (part.begin - first) * item_;
    if (part.from == me)
      std::copy_n(own(slice, part), part.count * item_, into);
    else
      incoming.under_way.push_back(
          mesh_.world().start_receive(into, static_cast<std::size_t>(part.count * item_), part.from, kCheckpointParts));
  }
}

const void* TensorGathering::data(std::size_t i) {
  if (i < asked_ || i > asked_ + (started_ > 0))
    throw Error(ErrorCode::kBug, "slice ", i, " is asked for behind slice ", asked_);
  for (; asked_ < i; ++asked_) incoming_.pop_front();
  // The next one comes while this one is written.
  while (started_ < std::min(mine_.size(), i + 2)) start_next();
  Incoming& incoming = incoming_.front();
  for (const auto& transfer : incoming.under_way) transfer->wait();
  incoming.under_way.clear();
  return incoming.whole;
}

void TensorGathering::finish() {
  for (std::size_t i = asked_; i < mine_.size(); ++i) data(i);
  for (const auto& transfer : sends_) transfer->wait();
  sends_.clear();
}

}  // namespace trireme::train
