#include "core/base/host_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>

#include "core/base/error.h"

namespace trireme {

HostMemory::HostMemory(std::size_t bytes) {
  constexpr std::size_t kLargePage = std::size_t{2} << 20;
  const std::size_t size = (std::max<std::size_t>(bytes, 1) + kLargePage - 1) / kLargePage * kLargePage;
  void* const memory = std::aligned_alloc(kLargePage, size);
  if (!memory) throw Error(ErrorCode::kOutOfMemory, "no memory for ", bytes, " bytes");
  (void)::madvise(memory, size, MADV_HUGEPAGE);
  memory_.reset(static_cast<std::byte*>(memory));
}

void HostMemory::Free::operator()(std::byte* bytes) const { std::free(bytes); }

}  // namespace trireme
