#include "train/recovery/state_snapshot.h"

#include <algorithm>
#include <utility>

#include "core/base/durable.h"
#include "train/parallel/sites.h"

namespace trireme::train {

StateSnapshot::StateSnapshot(StatePlan plan, std::int64_t writers) : plan_(std::move(plan)) {
  constexpr auto kAlignment = static_cast<std::int64_t>(kDirectAlignment);
  const int me = plan_.mesh().world().rank();
  for (const StateSlice& slice : plan_.slices(writers)) {
    const std::int64_t begin = plan_.entry(slice).begin + slice.begin, count = slice.count + slice.hashed_behind;
    std::vector<StatePlan::Part> parts = plan_.parts(begin, count, slice.rank);
    if (slice.rank != me) {
      for (const StatePlan::Part& part : parts)
        if (part.rank == me) outgoing_.push_back({slice.row, part, slice.rank});
      continue;
    }
    StatePlan::Extent extent = plan_.extent(slice);
    slices_.push_back({plan_.name(slice), stored_type(plan_.parameters()), plan_.entry(slice).parameter->shape,
                       std::move(extent.offset), std::move(extent.size), nullptr,
                       static_cast<std::uint64_t>(slice.hashed_behind * plan_.item())});
    incoming_.push_back({slice.row, begin, bytes_, std::move(parts)});
    bytes_ += (count * plan_.item() + kAlignment - 1) / kAlignment * kAlignment;
  }
}

void StateSnapshot::reserve() {
  if (!copy_) copy_ = HostMemory(static_cast<std::size_t>(bytes_));
}

void StateSnapshot::take() {
  reserve();
  for (std::size_t i = 0; i < slices_.size(); ++i) slices_[i].data = copy_.data() + incoming_[i].at;
  Communicator& world = plan_.mesh().world();
  const std::int64_t item = plan_.item();
  const auto place = [&](const Incoming& incoming, const StatePlan::Part& part) {
    return copy_.data() + incoming.at + (part.begin - incoming.begin) * item;
  };
  std::vector<std::unique_ptr<Transfer>> under_way;
  try {
    // In the order of slices on both sides.
    for (const Incoming& incoming : incoming_)
      for (const StatePlan::Part& part : incoming.parts)
        if (part.rank != world.rank())
          under_way.push_back(world.start_receive(place(incoming, part), static_cast<std::size_t>(part.count * item),
                                                  part.rank, kCheckpointParts));
    for (const Outgoing& outgoing : outgoing_)
      under_way.push_back(world.start_send(plan_.own(outgoing.row, outgoing.part.begin),
                                           static_cast<std::size_t>(outgoing.part.count * item), outgoing.to,
                                           kCheckpointParts));
    for (const Incoming& incoming : incoming_)
      for (const StatePlan::Part& part : incoming.parts)
        if (part.rank == world.rank())
          std::copy_n(plan_.own(incoming.row, part.begin), part.count * item, place(incoming, part));
    for (const auto& transfer : under_way) transfer->wait();
  } catch (...) {
    // This process is about to end: until it has, messages may land in the copy.
    copy_.abandon();
    throw;
  }
}

}  // namespace trireme::train
