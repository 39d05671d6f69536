#include "tune/trial/first_failures.h"

#include "core/base/error.h"
#include "core/base/text.h"

namespace trireme::tune {

void FirstFailures::note(const Verdict& verdict, double seconds, const std::string& folder) {
  if (is_over_ || verdict.kind == Verdict::Kind::kAgain || verdict.kind == Verdict::Kind::kForget) return;
  const bool is_alike = failures_ == 0 || verdict.likeness == likeness_;
  const bool had_begun = seconds > kSeconds && verdict.likeness != kNoResult;
  is_over_ = verdict.likeness.empty() || had_begun || !is_alike;
  likeness_ = verdict.likeness;
  if (is_over_ || ++failures_ < most_) return;
  throw Error(ErrorCode::kBadInput, "the first ", failures_, " trials all failed, the last one with: ", verdict.reason,
              "; its folder is ", folder, ", and `trireme-tune retry` gives failed trials another try");
}

}  // namespace trireme::tune
