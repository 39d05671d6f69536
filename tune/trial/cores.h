#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace trireme::tune {

/// Numbers of the processor cores that this process may run on (sched_getaffinity), ascending; empty when not known.
std::vector<int> allowed_cores();

/// One set of cores a slot, neighbours together and as even as can be; where there are fewer cores than slots, several
/// slots share one.
std::vector<std::vector<int>> split_cores(const std::vector<int>& cores, std::int64_t slots);

/// A set of cores as the kernel takes it, for sched_setaffinity: of any number of cores, where cpu_set_t ends at 1024.
std::vector<unsigned long> core_mask(const std::vector<int>& cores);

}  // namespace trireme::tune
