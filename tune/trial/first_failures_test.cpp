#include "tune/trial/first_failures.h"

#include <gmock/gmock.h>

#include "tune/store/study_testing.h"

namespace trireme::tune {
namespace {

using Kind = Verdict::Kind;

const Verdict kMissing = not_started("cannot start 'trian': No such file or directory");
const Verdict kCrash{.kind = Kind::kFailed, .reason = "exit status 1: no module", .likeness = "exit status 1"};
const Verdict kAgain{.kind = Kind::kAgain, .reason = "stopped"};
const Verdict kDone{.kind = Kind::kValues, .values = {1}};

TEST(FirstFailures, EndASweepThatFailsTheSameWay) {
  FirstFailures failures(5);
  for (int i = 0; i < 4; ++i) {
    failures.note(kMissing, 0.1, "s.runs/000004");
    failures.note(kAgain, 0.1, "");
  }
  EXPECT_THAT([&] { failures.note(kMissing, 0.1, "s.runs/000004"); },
              throws_error(ErrorCode::kBadInput,
                           "the first 5 trials all failed, the last one with: cannot start 'trian': No such file or "
                           "directory; its folder is s.runs/000004"));
}

TEST(FirstFailures, AMetricThatIsNeverThereEndsASweepHoweverLongItsTrialsTake) {
  FirstFailures failures(3);
  const Verdict nothing{.kind = Kind::kFailed, .reason = "no record with loss", .likeness = kNoResult};
  failures.note(nothing, 3600, "");
  failures.note(nothing, 3600, "");
  EXPECT_THAT([&] { failures.note(nothing, 3600, ""); }, throws_error(ErrorCode::kBadInput, "no record with loss"));
}

void expect_endless(const Verdict& other, double seconds, int before) {
  FirstFailures failures(5);
  for (int i = 0; i < before; ++i) failures.note(kCrash, 0.1, "");
  failures.note(other, seconds, "");
  for (int i = 0; i < 20; ++i) failures.note(kCrash, 0.1, "");
}

TEST(FirstFailures, AnyOtherBeginningIsASearchAtWork) {
  for (int before = 0; before < 5; ++before) {
    expect_endless(kDone, 0.1, before);
    expect_endless(kCrash, 11, before);
    expect_endless({.kind = Kind::kFailed, .reason = "timed out"}, 0.1, before);
    if (before > 0) expect_endless(kMissing, 0.1, before);
  }
}

}  // namespace
}  // namespace trireme::tune
