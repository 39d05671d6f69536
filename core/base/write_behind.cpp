#include "core/base/write_behind.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace trireme {

WriteBehind::WriteBehind(OutputFile& file) : file_(file), filling_(kWriteBehindBytes), writing_(kWriteBehindBytes) {}

void WriteBehind::write(const void* bytes, std::size_t size) {
  const auto* from = static_cast<const std::byte*>(bytes);
  while (size > 0) {
    const std::size_t part = std::min(size, kWriteBehindBytes - filled_);
    std::memcpy(filling_.data() + filled_, from, part);
    filled_ += part;
    from += part;
    size -= part;
    if (filled_ == kWriteBehindBytes) write_full();
  }
}

void WriteBehind::write_full() {
  if (under_way_.valid()) under_way_.get();
  std::swap(filling_, writing_);
  under_way_ = std::async(std::launch::async,
                          [this, at = at_, size = filled_] { file_.write_past_cache(at, writing_.data(), size); });
  at_ += std::exchange(filled_, 0);
}

void WriteBehind::finish() {
  write_full();
  under_way_.get();
}

}  // namespace trireme
