#include "tune/trial/first_failures.h"

#include "core/base/error.h"
#include "core/base/text.h"

namespace trireme::tune {

void FirstFailures::note(const Verdict& verdict, double seconds) {
  if (is_over_ || verdict.kind == Verdict::Kind::kAgain || verdict.kind == Verdict::Kind::kForget) return;
  const bool is_alike = failures_ == 0 || verdict.likeness == likeness_;
  is_over_ = verdict.likeness.empty() || seconds > kSeconds || !is_alike;
  likeness_ = verdict.likeness;
  if (is_over_ || ++failures_ < most_) return;
  throw Error(ErrorCode::kBadInput, "the first ", failures_, " trials failed within ", to_text(kSeconds),
              " seconds each, the last one with: ", verdict.reason, "; see stderr.log in its folder");
}

}  // namespace trireme::tune
