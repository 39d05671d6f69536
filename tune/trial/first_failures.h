#pragma once
#include <cstdint>
#include <string>

#include "tune/trial/verdict.h"

namespace trireme::tune {

/// Watches for a sweep that cannot work: a wrong path, a missing module, a metric of another name. Its first trials
/// then fail one like the other within seconds, and so would thousands. wandb's agent ends behind such beginnings
/// likewise.
class FirstFailures {
 public:
  static constexpr double kSeconds = 10;  ///< a trial that failed later than this had begun to work

  /// @param most  failures that end the sweep
  explicit FirstFailures(std::int64_t most) : most_(most) {}

  /// @param seconds  for which its command ran
  /// @throws Error kBadInput with the reason of the last one
  void note(const Verdict& verdict, double seconds);

 private:
  std::int64_t most_, failures_ = 0;
  std::string likeness_;
  bool is_over_ = false;  // some trial was different
};

}  // namespace trireme::tune
