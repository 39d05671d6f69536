#include "train/optim/gradient_norm.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "train/optim/flat_math.h"

namespace trireme::train {

double gradient_norm(Communicator& world, const at::Tensor& row, std::int64_t count) {
  constexpr std::int64_t kBlock = 4096;
  const std::int64_t blocks = (count + kBlock - 1) / kBlock;
  const std::int64_t each = (blocks + world.size() - 1) / world.size();
  std::vector<double> mine(static_cast<std::size_t>(each), 0.0);
  for (std::int64_t i = 0; i < each; ++i) {
    const std::int64_t begin = (world.rank() * each + i) * kBlock, size = std::min(kBlock, count - begin);
    if (size <= 0) break;
    mine[static_cast<std::size_t>(i)] = row.scalar_type() == at::kDouble
                                            ? sum_of_squares(row.const_data_ptr<double>() + begin, size)
                                            : sum_of_squares(row.const_data_ptr<float>() + begin, size);
  }
  std::vector<double> all(mine.size() * static_cast<std::size_t>(world.size()));
  world.all_gather(mine.data(), mine.size() * sizeof(double), all.data());
  double sum = 0;
  for (std::int64_t i = 0; i < blocks; ++i) sum += all[static_cast<std::size_t>(i)];
  return std::sqrt(sum);
}

}  // namespace trireme::train
