#include "train/optim/gradient_norm.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "train/optim/flat_math.h"

namespace trireme::train {

double gradient_norm(Communicator& world, std::int64_t size, const std::vector<Unit>& units, at::ScalarType type,
                     const std::function<const void*(std::int64_t begin)>& gradient) {
  struct Block {
    std::int64_t index;
    double sum;
  };
  std::vector<Block> mine;
  for (const Unit& unit : units)
    for (std::int64_t begin = unit.begin; begin < unit.end; begin += kBlockElements) {
      const void* numbers = gradient(begin);
      mine.push_back({begin / kBlockElements,
                      type == at::kDouble ? sum_of_squares(static_cast<const double*>(numbers), kBlockElements)
                                          : sum_of_squares(static_cast<const float*>(numbers), kBlockElements)});
    }
  // Shares differ a little: all send as many as the longest has.
  auto longest = static_cast<std::int64_t>(mine.size());
  world.all_max(&longest, 1);
  mine.resize(static_cast<std::size_t>(longest), {-1, 0});
  std::vector<Block> all(mine.size() * static_cast<std::size_t>(world.size()));
  world.all_gather(mine.data(), mine.size() * sizeof(Block), all.data());
  std::vector<double> sums(static_cast<std::size_t>(size / kBlockElements));
  std::size_t found = 0;
  for (const Block& block : all) {
    if (block.index < 0) continue;
    sums.at(static_cast<std::size_t>(block.index)) = block.sum;
    ++found;
  }
  if (found != sums.size())
    throw Error(ErrorCode::kBug, "a gradient norm over ", found, " of ", sums.size(), " blocks");
  double sum = 0;
  for (const double part : sums) sum += part;
  return std::sqrt(sum);
}

}  // namespace trireme::train
