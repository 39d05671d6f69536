#include "train/recovery/state_loading.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "train/parallel/sites.h"

namespace trireme::train {

StateLoading::StateLoading(StatePlan plan)
    : plan_(std::move(plan)), slices_(plan_.slices(plan_.mesh().world().size())), places_(slices_.size(), -1) {
  for (std::size_t i = 0; i < slices_.size(); ++i)
    if (slices_[i].rank == plan_.mesh().world().rank() && !keeps(slices_[i])) {
      places_[i] = bytes_;
      bytes_ += slices_[i].count * plan_.item();
    }
}

void StateLoading::expect_model(const models::Checkpoint& checkpoint) const {
  const auto refuse = [&](const auto&... why) {
    throw Error(ErrorCode::kBadInput, checkpoint.directory().string(), " holds another model: ", why...);
  };
  const std::vector<models::Checkpoint::Tensor>& tensors = checkpoint.tensors();
  for (const StateSlice& slice : slices_) {
    if (slice.begin > 0) continue;
    const std::string name = plan_.name(slice);
    const auto tensor = std::ranges::lower_bound(tensors, name, {}, &models::Checkpoint::Tensor::name);
    if (tensor == tensors.end() || tensor->name != name) refuse("it has no tensor ", name);
    if (tensor->shape != plan_.entry(slice).parameter->shape || tensor->type != stored_type(plan_.parameters()))
      refuse("tensor ", name, " has another shape or type");
  }
  if (tensors.size() != plan_.tensors()) refuse(tensors.size(), " tensors, ", plan_.tensors(), " are due");
}

// Whether all of a slice lies in this rank's own rows, in one piece.
bool StateLoading::keeps(const StateSlice& slice) const {
  const auto parts = plan_.parts(plan_.entry(slice).begin + slice.begin, slice.count, slice.rank);
  return parts.size() == 1 && parts[0].rank == plan_.mesh().world().rank();
}

// Where it is read to.
std::byte* StateLoading::place(std::size_t slice) const {
  if (places_[slice] >= 0) return read_.data() + places_[slice];
  return plan_.own(slices_[slice].row, plan_.entry(slices_[slice]).begin + slices_[slice].begin);
}

// Who keeps which part of it: of those that share state out, all groups.
std::vector<StatePlan::Part> StateLoading::takers(const StateSlice& slice) const {
  const MeshShape& shape = plan_.mesh().shape();
  const int group = plan_.parameters().groups().size, ranks = shape.size(Axis::kData);
  std::vector<StatePlan::Part> all;
  for (int first = 0; first < ranks; first += group) {
    const int member = shape.neighbour(slice.rank, Axis::kData, first);
    const auto parts = plan_.parts(plan_.entry(slice).begin + slice.begin, slice.count, member);
    all.insert(all.end(), parts.begin(), parts.end());
  }
  return all;
}

void StateLoading::read(const models::Checkpoint& checkpoint) {
  expect_model(checkpoint);
  if (bytes_ > 0 && !read_) read_ = HostMemory(static_cast<std::size_t>(bytes_));
  models::Checkpoint::Reader reader(checkpoint);
  const auto each_of_mine = [&](const auto& use) {
    for (std::size_t i = 0; i < slices_.size(); ++i)
      if (slices_[i].rank == plan_.mesh().world().rank()) use(i, plan_.name(slices_[i]), plan_.extent(slices_[i]));
  };
  each_of_mine([&](std::size_t, const std::string& name, const StatePlan::Extent& extent) {
    reader.expect(name, extent.offset, extent.size);
  });
  each_of_mine([&](std::size_t i, const std::string& name, const StatePlan::Extent& extent) {
    reader.read(name, extent.offset, extent.size, place(i));
  });
}

void StateLoading::spread() {
  Communicator& world = plan_.mesh().world();
  const int me = world.rank();
  const std::int64_t item = plan_.item();
  std::vector<std::unique_ptr<Transfer>> under_way;
  try {
    // In the order of slices on both sides.
    for (std::size_t i = 0; i < slices_.size(); ++i) {
      const StateSlice& slice = slices_[i];
      const std::int64_t begin = plan_.entry(slice).begin + slice.begin;
      const std::byte* const whole = slice.rank == me ? place(i) : nullptr;
      for (const StatePlan::Part& part : takers(slice)) {
        const auto bytes = static_cast<std::size_t>(part.count * item);
        if (slice.rank == me && part.rank != me)
          under_way.push_back(
              world.start_send(whole + (part.begin - begin) * item, bytes, part.rank, kCheckpointParts));
        else if (slice.rank != me && part.rank == me)
          under_way.push_back(
              world.start_receive(plan_.own(slice.row, part.begin), bytes, slice.rank, kCheckpointParts));
        else if (slice.rank == me && places_[i] >= 0)
          std::copy_n(whole + (part.begin - begin) * item, bytes, plan_.own(slice.row, part.begin));
      }
    }
    for (const auto& transfer : under_way) transfer->wait();
  } catch (...) {
    read_.abandon();  // until the process ends, messages may still be made of it
    throw;
  }
  read_ = {};
}

}  // namespace trireme::train
