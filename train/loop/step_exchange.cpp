#include "train/loop/step_exchange.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "train/parallel/sites.h"

namespace trireme::train {

std::vector<LeafReport> exchange(Communicator& world, const MeshShape& shape, std::int64_t micro_batches, Deal deal,
                                 StepReport& report, std::vector<LeafReport> leaves) {
  const int data_ranks = shape.size(Axis::kData);
  const std::int64_t most = share_of(micro_batches, 0, data_ranks, deal).count();  // rank 0 has the most
  const std::size_t size = sizeof report + static_cast<std::size_t>(most) * sizeof(LeafReport);
  std::vector<std::byte> mine(size), all(size * static_cast<std::size_t>(world.size()));
  std::memcpy(mine.data(), &report, sizeof report);
  std::memcpy(mine.data() + sizeof report, leaves.data(), leaves.size() * sizeof(LeafReport));
  world.all_gather(mine.data(), size, all.data(), kLosses);

  leaves.resize(static_cast<std::size_t>(micro_batches));
  StepReport together;
  for (int rank = 0; rank < world.size(); ++rank) {
    const std::byte* theirs = all.data() + static_cast<std::size_t>(rank) * size;
    std::memcpy(&report, theirs, sizeof report);
    together.abandoned |= report.abandoned;
    together.stop |= report.stop;
    if (rank == 0) together.save_phase = report.save_phase;
    if (rank == 0) together.save_due = report.save_due;
    together.resident_bytes += report.resident_bytes;
    together.peak_bytes += report.peak_bytes;
    together.data_wait_ms = std::max(together.data_wait_ms, report.data_wait_ms);
    if (shape.coordinate(Axis::kPipeline, rank) + 1 != shape.size(Axis::kPipeline)) continue;
    const Share share = share_of(micro_batches, shape.coordinate(Axis::kData, rank), data_ranks, deal);
    const std::byte* from = theirs + sizeof report;
    for (std::int64_t leaf = share.first; leaf < share.last; leaf += share.stride, from += sizeof(LeafReport))
      std::memcpy(&leaves[static_cast<std::size_t>(leaf)], from, sizeof(LeafReport));
  }
  report = together;
  return leaves;
}

}  // namespace trireme::train
