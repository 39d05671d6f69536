#include "train/optim/gradient_norm.h"

#include <algorithm>
#include <cmath>

#include "train/optim/flat_math.h"
#include "train/parallel/sites.h"

namespace trireme::train {

double gradient_norm(Communicator& world, const std::vector<std::vector<Unit>>& units, at::ScalarType type,
                     const std::function<const void*(std::int64_t begin)>& gradient) {
  const auto for_blocks = [&](std::size_t rank, const auto& visit) {
    for (const Unit& unit : units[rank])
      for (std::int64_t begin = unit.begin; begin < unit.end; begin += kBlockElements) visit(begin);
  };
  std::size_t longest = 0, blocks = 0;
  for (std::size_t rank = 0; rank < units.size(); ++rank) {
    std::size_t count = 0;
    for_blocks(rank, [&](std::int64_t) { ++count; });
    longest = std::max(longest, count);
    blocks += count;
  }
  std::vector<double> mine;
  mine.reserve(longest);
  for_blocks(static_cast<std::size_t>(world.rank()), [&](std::int64_t begin) {
    const void* numbers = gradient(begin);
    mine.push_back(type == at::kDouble ? sum_of_squares(static_cast<const double*>(numbers), kBlockElements)
                                       : sum_of_squares(static_cast<const float*>(numbers), kBlockElements));
  });
  // Shares differ a little: all send as many as the longest has.
  mine.resize(longest);
  std::vector<double> all(longest * units.size()), sums(blocks, NAN);
  world.all_gather(mine.data(), longest * sizeof(double), all.data(), kNormParts);
  for (std::size_t rank = 0; rank < units.size(); ++rank) {
    const double* theirs = all.data() + rank * longest;
    for_blocks(rank,
               [&](std::int64_t begin) { sums.at(static_cast<std::size_t>(begin / kBlockElements)) = *theirs++; });
  }
  double sum = 0;
  for (const double part : sums) sum += part;
  return std::sqrt(sum);
}

}  // namespace trireme::train
