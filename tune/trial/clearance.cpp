#include "tune/trial/clearance.h"

#include <signal.h>

#include <algorithm>
#include <utility>

namespace trireme::tune {
namespace {

constexpr std::chrono::milliseconds kShortestPause(2), kLongestPause(200);

}  // namespace

Clearance::Clearance(Mark mark, Times times)
    : mark_(std::move(mark)),
      term_at_(Clock::now() + clock_seconds(times.patience_seconds)),
      kill_at_(term_at_ + clock_seconds(times.grace_seconds)),
      next_(Clock::now()),
      pause_(kShortestPause) {}

bool Clearance::advance() {
  const auto now = Clock::now();
  if (now < next_) return false;
  const std::vector<pid_t> found = find_marked(mark_);
  if (now >= kill_at_) {
    for (const pid_t process : found) ::kill(process, SIGKILL);
  } else if (now >= term_at_ && !std::exchange(has_asked_, true)) {
    for (const pid_t process : found) ::kill(process, SIGTERM);
  }
  look_again_behind(now);
  return found.empty();
}

// Often at first and behind each signal: most of what is asked to end does so at once.
void Clearance::look_again_behind(Clock::time_point now) {
  pause_ = std::min<Clock::duration>(pause_ * 2, kLongestPause);
  next_ = now + pause_;
  for (const Clock::time_point change : {term_at_, kill_at_}) {
    if (change <= now || change > next_) continue;
    next_ = change;
    pause_ = kShortestPause;
    break;
  }
}

}  // namespace trireme::tune
