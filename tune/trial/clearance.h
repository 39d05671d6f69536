#pragma once
#include "tune/trial/clock.h"
#include "tune/trial/mark.h"

namespace trireme::tune {

/// Ends the processes of a trial's mark: SIGTERM to all that are there, and SIGKILL to those that are there behind a
/// grace. Each is asked once, since to some programs a second SIGTERM means "at once", and what they start then to put
/// things in order is not asked at all. Done once none is left, so that what comes next runs alone. Never waits:
/// whoever has one calls advance() until then.
class Clearance {
 public:
  struct Times {
    double patience_seconds = 0;  ///< before SIGTERM, for what ends by itself
    double grace_seconds = 10;    ///< between SIGTERM and SIGKILL
  };
  Clearance(Mark mark, Times times);

  /// Looks, when it is time to, and signals what it finds. @returns whether none is left
  bool advance();
  /// When advance() has something to do again.
  Clock::time_point next() const { return next_; }
  /// From now on SIGKILL.
  void hurry() { kill_at_ = term_at_ = next_ = Clock::now(); }

 private:
  void look_again_behind(Clock::time_point now);

  Mark mark_;
  Clock::time_point term_at_, kill_at_, next_;
  Clock::duration pause_;
  bool has_asked_ = false;
};

}  // namespace trireme::tune
