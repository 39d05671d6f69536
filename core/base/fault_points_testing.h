#pragma once
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/base/fault_points.h"

namespace trireme {

/// Counts the points that a piece of work passes, and lets something happen at one of them.
class PlannedFault final : public FaultPoints {
 public:
  enum class Kind { kNone, kKill, kError, kShortWrite, kShortWriteThenError };

  PlannedFault() = default;  ///< only lists
  /// @param number  of a point, counted from 0 as in passed()
  PlannedFault(std::size_t number, Kind kind, int error = 0) : number_(number), kind_(kind), error_(error) {}
  ~PlannedFault() override { install(nullptr); }
  /// As on a file system that cannot let two names change places.
  PlannedFault& without_exchange() {
    without_exchange_ = true;
    return *this;
  }

  struct Passed {
    std::string object, call;
    When when;
    std::string text() const { return (when == When::kBefore ? "before " : "after ") + call + " of " + object; }
  };
  /// Writers in several threads pass in any order, so the number of a point may mean another one in the next run.
  std::vector<Passed> passed() const {
    const std::scoped_lock lock(mutex_);
    return passed_;
  }
  /// What it happened at, if it did.
  std::optional<Passed> happened() const {
    const std::scoped_lock lock(mutex_);
    return happened_;
  }

  Fault at(const char* object, const char* call, When when) override {
    const std::scoped_lock lock(mutex_);
    passed_.push_back({object, call, when});
    const bool is_here = passed_.size() - 1 == number_;
    if (is_here && kind_ != Kind::kNone) happened_ = passed_.back();
    if (is_here && kind_ == Kind::kKill) ::kill(::getpid(), SIGKILL);
    if (when == When::kAfter) return {};
    if (without_exchange_ && call == std::string("exchange")) return {.error = EINVAL};
    if (is_here && kind_ == Kind::kError) return {.error = error_};
    const bool is_write = call == std::string("write");
    if (is_here && is_write && (kind_ == Kind::kShortWrite || kind_ == Kind::kShortWriteThenError)) {
      cut_ = kind_ == Kind::kShortWriteThenError ? object : "";
      return {.most_bytes = 7};
    }
    if (is_write && !cut_.empty() && cut_ == object) {
      cut_.clear();
      return {.error = error_};
    }
    return {};
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Passed> passed_;
  std::optional<Passed> happened_;
  std::string cut_;
  bool without_exchange_ = false;
  const std::size_t number_ = static_cast<std::size_t>(-1);
  const Kind kind_ = Kind::kNone;
  const int error_ = 0;
};

}  // namespace trireme
