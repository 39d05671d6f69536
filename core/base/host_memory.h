#pragma once
#include <cstddef>
#include <memory>

namespace trireme {

/// Memory for what goes to disks or comes from them: aligned so that it can pass the page cache by, in large pages
/// where there are, since all of it is touched at once. Not of tensors' memory, which would be kept for other tensors.
class HostMemory {
 public:
  HostMemory() = default;
  /// @throws Error kOutOfMemory
  explicit HostMemory(std::size_t bytes);
  std::byte* data() const { return memory_.get(); }
  explicit operator bool() const { return memory_ != nullptr; }
  /// Leaves it to the end of the process: what may still land in it must find it.
  void abandon() { (void)memory_.release(); }

 private:
  struct Free {
    void operator()(std::byte* bytes) const;
  };
  std::unique_ptr<std::byte[], Free> memory_;
};

}  // namespace trireme
