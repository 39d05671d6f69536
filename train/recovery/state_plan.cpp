#include "train/recovery/state_plan.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "models/checkpoint/weights_hash.h"
#include "models/checkpoint/write_checkpoint.h"

namespace trireme::train {

std::vector<StateRow> state_rows(FlatParameters& parameters, AdamW& optimizer, Anchor* anchor) {
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
  if (anchor && anchor->importance().defined()) rows.push_back({"importance/", state(anchor->importance())});
  return rows;
}

models::StoredType stored_type(const FlatParameters& parameters) {
  return parameters.master_type() == at::kDouble ? models::StoredType::kFloat64 : models::StoredType::kFloat32;
}

std::int64_t checkpoint_bytes(const FlatParameters& parameters, std::size_t rows) {
  std::int64_t elements = 0;
  for (const FlatParameters::Entry& entry : parameters.entries())
    if (entry.tied_begin < 0) elements += entry.count;
  return static_cast<std::int64_t>(rows) * elements *
         static_cast<std::int64_t>(at::elementSize(parameters.master_type()));
}

int writers_of_stage(std::int64_t wanted, std::int64_t bytes, const MeshShape& shape) {
  const std::int64_t writers = wanted > 0 ? wanted / shape.size(Axis::kPipeline) : bytes / kFewestFileBytes;
  return static_cast<int>(std::clamp<std::int64_t>(writers, 1, shape.size(Axis::kData)));
}

StatePlan::StatePlan(const Mesh& mesh, FlatParameters& parameters, std::vector<StateRow> rows)
    : mesh_(mesh),
      parameters_(parameters),
      rows_(std::move(rows)),
      item_(static_cast<std::int64_t>(at::elementSize(parameters.master_type()))),
      units_(parameters.layout().segments.size()) {
  if (!parameters.is_shared_out()) return;
  for (const Bucket& bucket : buckets_of(parameters.layout(), parameters.groups().ranks))
    for (const Unit& unit : bucket.units) units_[bucket.segment].push_back(unit);
}

std::vector<StateSlice> StatePlan::slices(std::int64_t writers) const {
  const std::vector<FlatParameters::Entry>& entries = parameters_.entries();
  const MeshShape& shape = mesh_.shape();
  const int stage = shape.coordinate(Axis::kPipeline, mesh_.world().rank());
  std::vector<std::size_t> here;
  std::int64_t total = 0;  // of one row
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].tied_begin >= 0) continue;
    if (parameters_.placement().home[parameters_.layout().segment_at(entries[i].begin)] != stage) continue;
    here.push_back(i);
    total += entries[i].count;
  }
  const std::int64_t bytes = total * static_cast<std::int64_t>(rows_.size()) * item_;
  const int count = writers_of_stage(writers, bytes, shape), ranks = shape.size(Axis::kData);
  const int first = shape.neighbour(mesh_.world().rank(), Axis::kData, 0);
  std::vector<StateSlice> slices;
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    std::int64_t before = 0;  // each writes the same part of each row: hashing weights is most of the work
    for (const std::size_t i : here) {
      const FlatParameters::Entry& entry = entries[i];
      const std::vector<std::int64_t>& extents = entry.parameter->shape;
      const std::int64_t one = extents.empty() ? entry.count : entry.count / extents[0];
      const std::int64_t most = std::max<std::int64_t>(1, models::kSliceBytes / (one * item_)) * one;
      for (std::int64_t begin = 0; begin < entry.count; begin += most) {
        const std::int64_t size = std::min(most, entry.count - begin);
        // Writers lie apart, so that several nodes have some.
        const auto writer = static_cast<int>((before + size / 2) * count / total);
        before += size;
        slices.push_back({i, row, begin, size, shape.neighbour(first, Axis::kData, writer * ranks / count), 0});
      }
    }
  }
  // A piece of the weights' hash is hashed by who writes its first byte.
  const std::int64_t piece = static_cast<std::int64_t>(models::WeightsHash::kPieceBytes) / item_;
  std::int64_t portion = 0;  // where what one writer writes of a tensor begins
  for (std::size_t i = 0; i < slices.size(); ++i) {
    StateSlice& slice = slices[i];
    if (slice.begin == 0 || slices[i - 1].rank != slice.rank) portion = slice.begin;
    const std::int64_t end = slice.begin + slice.count, all = entries[slice.entry].count;
    if (rows_[slice.row].prefix != std::string_view(models::kWeightsPrefix) || end == all) continue;
    if (slices[i + 1].rank == slice.rank) continue;
    const std::int64_t last = (end - 1) / piece * piece;
    if (last >= portion) slice.hashed_behind = std::min(all, last + piece) - end;
  }
  return slices;
}

std::vector<StatePlan::Part> StatePlan::parts(std::int64_t begin, std::int64_t count, int rank) const {
  if (!parameters_.is_shared_out()) return {{rank, begin, count}};
  const MeshShape& shape = mesh_.shape();
  const int place = shape.coordinate(Axis::kData, rank);
  const std::vector<Unit>& units = units_[parameters_.layout().segment_at(begin)];
  const std::int64_t end = begin + count;
  std::vector<Part> parts;
  for (auto unit = std::ranges::upper_bound(units, begin, {}, &Unit::end); unit != units.end() && unit->begin < end;
       ++unit) {
    const std::int64_t from = std::max(begin, unit->begin), to = std::min(end, unit->end);
    parts.push_back({shape.neighbour(rank, Axis::kData, parameters_.groups().keeper(*unit, place)), from, to - from});
  }
  return parts;
}

std::byte* StatePlan::own(std::size_t row, std::int64_t begin) const {
  const auto next = std::ranges::upper_bound(parameters_.own(), begin, {}, &Stretch::begin);
  const Stretch& stretch = next[-1];
  return rows_[row].place(stretch) + (begin - stretch.begin) * item_;
}

std::size_t StatePlan::tensors() const {
  const auto own = std::ranges::count_if(parameters_.entries(), [](const auto& entry) { return entry.tied_begin < 0; });
  return static_cast<std::size_t>(own) * rows_.size();
}

std::string StatePlan::name(const StateSlice& slice) const {
  return rows_[slice.row].prefix + entry(slice).parameter->name;
}

StatePlan::Extent StatePlan::extent(const StateSlice& slice) const {
  const std::vector<std::int64_t>& shape = entry(slice).parameter->shape;
  Extent extent{std::vector<std::int64_t>(shape.size(), 0), shape};
  if (shape.empty()) return extent;
  const std::int64_t one = entry(slice).count / shape[0];
  extent.offset[0] = slice.begin / one;
  extent.size[0] = slice.count / one;
  return extent;
}

}  // namespace trireme::train
