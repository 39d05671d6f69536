#pragma once
#include <atomic>
#include <cstddef>
#include <limits>

namespace trireme {

/// Named points around calls of the system that something durable is made with, at which a test lets the process die or
/// the call fail. Without a test a point is one load and one branch.
///
/// A point is named by what it is about ("rank-file"), the call ("write") and whether that comes next or was made.
class FaultPoints {
 public:
  enum class When { kBefore, kAfter };
  /// What the next call is to do instead.
  struct Fault {
    int error = 0;                                                     ///< not 0: fails with this errno
    std::size_t most_bytes = std::numeric_limits<std::size_t>::max();  ///< writes no more than these
  };

  virtual ~FaultPoints() = default;
  /// Called from any thread. What it returns for kAfter is not used.
  virtual Fault at(const char* object, const char* call, When when) = 0;

  /// Of the process; null, as it is without a test: none.
  static void install(FaultPoints* points) { installed_.store(points, std::memory_order_release); }

  static Fault before(const char* object, const char* call) {
    FaultPoints* const points = installed_.load(std::memory_order_acquire);
    if (points) [[unlikely]]
      return points->at(object, call, When::kBefore);
    return {};
  }
  static void after(const char* object, const char* call) {
    FaultPoints* const points = installed_.load(std::memory_order_acquire);
    if (points) [[unlikely]]
      points->at(object, call, When::kAfter);
  }

 private:
  static inline std::atomic<FaultPoints*> installed_{nullptr};
};

}  // namespace trireme
