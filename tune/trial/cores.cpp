#include "tune/trial/cores.h"

#include <sched.h>

#include <algorithm>

namespace trireme::tune {
namespace {

constexpr int kWordBits = 8 * sizeof(unsigned long);
constexpr std::size_t kMostCores = std::size_t{1} << 16;

}  // namespace

std::vector<int> allowed_cores() {
  std::vector<unsigned long> mask(kMostCores / kWordBits);
  auto* const set = reinterpret_cast<cpu_set_t*>(mask.data());
  if (::sched_getaffinity(0, mask.size() * sizeof(mask[0]), set) != 0) return {};
  std::vector<int> cores;
  for (int core = 0; core < static_cast<int>(kMostCores); ++core)
    if (mask[static_cast<std::size_t>(core / kWordBits)] >> (core % kWordBits) & 1) cores.push_back(core);
  return cores;
}

std::vector<std::vector<int>> split_cores(const std::vector<int>& cores, std::int64_t slots) {
  std::vector<std::vector<int>> split(static_cast<std::size_t>(slots));
  if (cores.empty()) return split;
  for (std::size_t slot = 0; slot < split.size(); ++slot) {
    const std::size_t begin = slot * cores.size() / split.size();
    const std::size_t end = std::max(begin + 1, (slot + 1) * cores.size() / split.size());
    for (std::size_t core = begin; core < end; ++core) split[slot].push_back(cores[core]);
  }
  return split;
}

std::vector<unsigned long> core_mask(const std::vector<int>& cores) {
  if (cores.empty()) return {};
  const int last = *std::max_element(cores.begin(), cores.end());
  std::vector<unsigned long> mask(static_cast<std::size_t>(last / kWordBits) + 1);
  for (const int core : cores) mask[static_cast<std::size_t>(core / kWordBits)] |= 1UL << (core % kWordBits);
  return mask;
}

}  // namespace trireme::tune
