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
  /// A trial that failed later than this had begun to work; one that did all its work and has no result had not,
  /// however long it took.
  static constexpr double kSeconds = 10;

  /// @param most  failures that end the sweep
  explicit FirstFailures(std::int64_t most) : most_(most) {}

  /// @param seconds  for which its command ran
  /// @param folder   of the trial, for the message
  /// @throws Error kBadInput with the reason of the last one
  void note(const Verdict& verdict, double seconds, const std::string& folder);

 private:
  std::int64_t most_, failures_ = 0;
  std::string likeness_;
  bool is_over_ = false;  // some trial was different
};

}  // namespace trireme::tune
