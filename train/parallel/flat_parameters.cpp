#include "train/parallel/flat_parameters.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <c10/core/CPUAllocator.h>

#include <algorithm>
#include <cstring>

#include "core/base/error.h"
#include "models/load.h"
#include "train/optim/flat_math.h"
#include "train/parallel/sites.h"

namespace trireme::train {
namespace {

int rank_of(const Communicator* data) { return data ? data->rank() : 0; }

}  // namespace

FlatParameters::FlatParameters(models::ParameterList& parameters, at::ScalarType compute_type, const Sharing& sharing)
    : FlatParameters(RowLayout(parameters), {&parameters}, {}, *make_self_communicator(), compute_type, sharing) {}

FlatParameters::FlatParameters(RowLayout layout, const std::vector<models::ParameterList*>& local, Placement placement,
                               Communicator& pipeline, at::ScalarType compute_type, const Sharing& sharing)
    : layout_(std::move(layout)),
      placement_(pipeline.size() > 1 ? std::move(placement) : all_here(layout_)),
      pipeline_(pipeline.size() > 1 ? &pipeline : nullptr),
      master_type_(compute_type == at::kDouble ? at::kDouble : at::kFloat),
      compute_type_(compute_type),
      data_(sharing.data),
      groups_{data_ ? data_->size() : 1, sharing.group},
      shares_weights_(sharing.weights && sharing.group > 1),
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
  own_ = stretches_of(layout_, placement_.at(stage()), rank_of(data_), groups_);
  borrowed_ = stretches_of(layout_, borrowed, rank_of(data_), groups_);
  if (!own_.empty()) own_size_ = own_.back().at + own_.back().count;
  if (is_shared_out()) buckets_ = buckets_of(layout_, groups_.ranks);
  std::erase_if(buckets_, [&](const Bucket& bucket) { return offset_[bucket.segment] < 0; });
  if (shares_weights_) {
    gathered_.resize(layout_.segments.size());
    for (std::size_t i = 0; i < layout_.segments.size(); ++i) {
      if (offset_[i] < 0) continue;
      gathered_[i].row = at::empty({layout_.segments[i].end - layout_.segments[i].begin}, compute_type_);
      gathered_[i].is_here = true;
      give_back(i);
    }
    if (!borrowed_.empty()) borrowed_row_ = at::zeros({borrowed_.back().at + borrowed_.back().count}, compute_type_);
  } else {
    row_ = at::zeros({size}, compute_type_);
  }
  masters_ = compute_type_ == master_type_ && !shares_weights_ ? row_ : at::zeros({own_size_}, master_type_);
  for (const models::ParameterList* list : local)
    for (const models::Parameter& parameter : list->all())
      if (parameter.frozen) frozen_.emplace(models::group_of(parameter.name));
  for (Entry& entry : layout_.entries)
    for (models::ParameterList* list : local)
      for (models::Parameter& parameter : list->all()) {
        if (parameter.name != entry.parameter->name) continue;
        const std::int64_t begin = entry.tied_begin >= 0 ? entry.tied_begin : entry.begin;
        const std::size_t segment = layout_.segment_at(begin);
        const at::Tensor& row = shares_weights_ ? gathered_[segment].row : row_;
        const std::int64_t at = shares_weights_ ? begin - layout_.segments[segment].begin : offset_of(begin);
        parameter.value = row.narrow(0, at, entry.count).view(parameter.shape).detach().requires_grad_(true);
        entry.parameter = &parameter;
        segment_of_.emplace(models::group_of(parameter.name), segment);
        frozen_.erase(std::string(models::group_of(parameter.name)));
      }
}

FlatParameters::~FlatParameters() {
  // An error passes, and this process is about to end: until it has, messages may land here.
  bool any = !under_way_.empty() || !borrowing_.empty();
  for (const Gathered& gathered : gathered_) any = any || !gathered.under_way.empty();
  if (any) {
    new auto(std::move(row_));
    new auto(std::move(gathered_));
    new auto(std::move(borrowed_row_));
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
  if (compute_type_ == master_type_ && !shares_weights_) return row_at(stretch.begin);
  return static_cast<std::byte*>(masters_.mutable_data_ptr()) +
         stretch.at * static_cast<std::int64_t>(masters_.element_size());
}

at::Tensor FlatParameters::master(const Entry& entry) const {
  return masters_.narrow(0, entry.tied_begin >= 0 ? entry.tied_begin : entry.begin, entry.count)
      .view(entry.parameter->shape);
}

// write(parameter, begin, count, out): elements of a parameter, into what is owned here.
template <class Write>
void FlatParameters::fill(const std::function<void*(const Stretch&)>& place, const Write& write) const {
  for (const Stretch& stretch : own_)
    for (const Entry& entry : layout_.entries) {
      if (entry.tied_begin >= 0) continue;
      const std::int64_t begin = std::max(entry.begin, stretch.begin);
      const std::int64_t end = std::min(entry.begin + entry.count, stretch.begin + stretch.count);
      if (begin >= end) continue;
      const auto into = [&]<class T>(T* out) {
        write(*entry.parameter, begin - entry.begin, end - begin, out + (begin - stretch.begin));
      };
      if (master_type_ == at::kDouble)
        into(static_cast<double*>(place(stretch)));
      else
        into(static_cast<float*>(place(stretch)));
    }
}

void FlatParameters::initialise(std::uint64_t seed) {
  fill([this](const Stretch& stretch) { return masters(stretch); },
       [&](const models::Parameter& parameter, std::int64_t begin, std::int64_t count, auto* out) {
         models::initial_values(parameter, seed, begin, count, out);
       });
}

void FlatParameters::initialise(const models::ModelSource& source, std::uint64_t seed,
                                const std::set<std::string>& fresh) {
  fill([this](const Stretch& stretch) { return masters(stretch); },
       [&](const models::Parameter& parameter, std::int64_t begin, std::int64_t count, auto* out) {
         if (fresh.contains(parameter.name))
           models::initial_values(parameter, seed, begin, count, out);
         else
           models::read_elements(source, parameter, begin, count, out);
       });
}

void FlatParameters::read(const models::ModelSource& source, const std::function<void*(const Stretch&)>& place) const {
  fill(place, [&](const models::Parameter& parameter, std::int64_t begin, std::int64_t count, auto* out) {
    models::read_elements(source, parameter, begin, count, out);
  });
}

void FlatParameters::publish() {
  begin_publish();
  for (const Stretch& stretch : own_) {
    round(stretch.begin, masters(stretch), stretch.count);
    publish(stretch);
  }
  end_publish();
}

// The other ranks of this one's group, on the data axis.
std::vector<int> FlatParameters::peers() const {
  const int me = rank_of(data_), first = me / groups_.size * groups_.size;
  std::vector<int> peers;
  for (int offset = 1; offset < groups_.size; ++offset)  // each starts with its neighbour: nobody is everyone's first
    peers.push_back(first + (me - first + offset) % groups_.size);
  return peers;
}

void FlatParameters::begin_publish() {
  end_passes();
  const auto bytes = [&](std::int64_t count) {
    return static_cast<std::size_t>(count * static_cast<std::int64_t>(at::elementSize(compute_type_)));
  };
  for (const Stretch& stretch : borrowed_) {
    void* const into = shares_weights_ ? static_cast<std::byte*>(borrowed_row_.mutable_data_ptr()) + bytes(stretch.at)
                                       : row_at(stretch.begin);
    borrowing_.push_back(pipeline_->start_receive(into, bytes(stretch.count),
                                                  placement_.home[layout_.segment_at(stretch.begin)], kLentWeights));
  }
  if (shares_weights_) return;
  for (const Bucket& bucket : buckets_)
    for (const Unit& unit : bucket.units)
      if (!groups_.keeps(data_->rank(), unit))
        under_way_.push_back(data_->start_receive(row_at(unit.begin), bytes(unit.end - unit.begin),
                                                  groups_.keeper(unit, data_->rank()), published_at(bucket.segment)));
}

void FlatParameters::round(std::int64_t begin, const void* masters, std::int64_t count) {
  if (compute_type_ != master_type_ && !shares_weights_)
    round_into(static_cast<c10::BFloat16*>(row_at(begin)), static_cast<const float*>(masters), count);
}

void FlatParameters::publish(const Stretch& stretch) {
  if (const int reader = placement_.reader[layout_.segment_at(stretch.begin)]; reader >= 0) {
    const void* from = nullptr;
    if (!shares_weights_) {
      from = row_at(stretch.begin);
    } else if (compute_type_ == master_type_) {
      from = masters(stretch);
    } else {
      at::Tensor& rounded = lent_.emplace_back(at::empty({stretch.count}, compute_type_));
      round_into(rounded.mutable_data_ptr<c10::BFloat16>(), static_cast<const float*>(masters(stretch)), stretch.count);
      from = rounded.const_data_ptr();
    }
    under_way_.push_back(pipeline_->start_send(
        from, static_cast<std::size_t>(stretch.count) * at::elementSize(compute_type_), reader, kLentWeights));
  }
  if (!shares_weights_) send_to_peers(stretch.begin, stretch.count);
}

const Site& FlatParameters::published_at(std::size_t segment) const {
  return is_here(segment) ? kNewWeights : kBorrowedWeights;
}

void FlatParameters::send_to_peers(std::int64_t begin, std::int64_t count) {
  for (const int peer : peers())
    under_way_.push_back(data_->start_send(row_at(begin), static_cast<std::size_t>(count) * row_.element_size(), peer,
                                           published_at(layout_.segment_at(begin))));
}

void FlatParameters::end_publish() {
  // What this rank would keep if the segment were here comes from its like in the other stage.
  for (std::size_t i = 0; i < borrowing_.size(); ++i) {
    borrowing_[i]->wait();
    if (!shares_weights_) send_to_peers(borrowed_[i].begin, borrowed_[i].count);
  }
  borrowing_.clear();
  for (const auto& transfer : under_way_) transfer->wait();
  under_way_.clear();
  lent_.clear();
}

std::size_t FlatParameters::segment_of(std::string_view group) const {
  const auto found = segment_of_.find(group);
  if (found == segment_of_.end()) throw Error(ErrorCode::kBug, "no part of the model here is called ", group);
  return found->second;
}

void FlatParameters::enter(std::string_view group, Pass pass) {
  if (!shares_weights_ || is_frozen(group)) return;
  const std::size_t segment = segment_of(group);
  Gathered& gathered = gathered_[segment];
  ++gathered.users;
  start_gathering(segment);
  for (const auto& transfer : gathered.under_way) transfer->wait();
  gathered.under_way.clear();
  give_back_others(segment);
  // The row begins with the last layer.
  if (pass == Pass::kForward ? segment == 0 : segment + 1 == gathered_.size()) return;
  const std::size_t next = pass == Pass::kForward ? segment - 1 : segment + 1;
  const bool are_layers = layout_.segments[segment].is_layer() && layout_.segments[next].is_layer();
  if (are_layers && offset_[next] >= 0) start_gathering(next);
}

// What was read stays until something else is: the last part of a forward pass is the first of the backward pass.
void FlatParameters::leave(std::string_view group) {
  if (shares_weights_ && !is_frozen(group)) --gathered_[segment_of(group)].users;
}

void FlatParameters::end_passes() {
  for (std::size_t i = 0; i < gathered_.size(); ++i) {
    for (const auto& transfer : gathered_[i].under_way) transfer->wait();
    gathered_[i].under_way.clear();
    if (gathered_[i].is_here) give_back(i);
  }
}

void FlatParameters::give_back_others(std::size_t segment) {
  for (std::size_t i = 0; i < gathered_.size(); ++i)
    if (Gathered& other = gathered_[i]; i != segment && other.is_here && other.users == 0 && other.under_way.empty())
      give_back(i);
}

void FlatParameters::give_back(std::size_t segment) {
  gathered_[segment].row.storage().set_data_ptr_noswap({});
  gathered_[segment].is_here = false;
}

void FlatParameters::start_gathering(std::size_t segment) {
  Gathered& gathered = gathered_[segment];
  if (gathered.is_here) return;
  gathered.row.storage().set_data_ptr_noswap(c10::GetCPUAllocator()->allocate(gathered.row.storage().nbytes()));
  gathered.is_here = true;
  const std::int64_t first = layout_.segments[segment].begin;
  const auto item = static_cast<std::int64_t>(gathered.row.element_size());
  const auto place = [&](std::int64_t begin) {
    return static_cast<std::byte*>(gathered.row.mutable_data_ptr()) + (begin - first) * item;
  };
  for (const Bucket& bucket : buckets_)
    for (const Unit& unit : bucket.units)
      if (bucket.segment == segment && !groups_.keeps(data_->rank(), unit))
        gathered.under_way.push_back(data_->start_receive(place(unit.begin),
                                                          static_cast<std::size_t>((unit.end - unit.begin) * item),
                                                          groups_.keeper(unit, data_->rank()), kGatheredWeights));
  const bool here = is_here(segment);
  for (const Stretch& stretch : here ? own_ : borrowed_) {
    if (layout_.segment_at(stretch.begin) != segment) continue;
    std::byte* const mine = place(stretch.begin);
    const auto bytes = static_cast<std::size_t>(stretch.count * item);
    if (!here)
      std::memcpy(mine, static_cast<const std::byte*>(borrowed_row_.const_data_ptr()) + stretch.at * item, bytes);
    else if (compute_type_ == master_type_)
      std::memcpy(mine, masters(stretch), bytes);
    else
      round_into(reinterpret_cast<c10::BFloat16*>(mine), static_cast<const float*>(masters(stretch)), stretch.count);
    for (const int peer : peers()) gathered.under_way.push_back(data_->start_send(mine, bytes, peer, kGatheredWeights));
  }
}

at::ScalarType compute_type(const std::string& precision) {
  if (precision == "fp32") return at::kFloat;
  if (precision == "bf16") return at::kBFloat16;
  if (precision == "fp64") return at::kDouble;
  throw Error(ErrorCode::kBug, "precision ", precision, " has no type");
}

}  // namespace trireme::train
