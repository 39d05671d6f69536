#include "tune/trial/worker.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

namespace trireme::tune {
namespace {

// The name of a child that has ended, as it said itself.
std::string name_of_the_dead(bool is_reaped) {
  std::array<int, 2> ends;
  if (::pipe(ends.data()) != 0) return "";
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string name = worker_name();
    ::_exit(::write(ends[1], name.data(), name.size()) > 0 ? 0 : 1);
  }
  std::array<char, 512> name{};
  (void)!::read(ends[0], name.data(), name.size() - 1);
  siginfo_t info;
  ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | (is_reaped ? 0 : WNOWAIT));
  ::close(ends[0]);
  ::close(ends[1]);
  return name.data();
}

TEST(Worker, IsGoneOnceItsProcessHasEnded) {
  EXPECT_FALSE(is_gone(worker_name()));
  EXPECT_TRUE(is_gone(name_of_the_dead(true)));
  EXPECT_TRUE(is_gone(name_of_the_dead(false))) << "a zombie";
}

TEST(Worker, ANumberThatIsAnothersNowIsGone) {
  std::string name = worker_name();
  const std::size_t end = name.rfind(':'), start = name.rfind(':', end - 1);
  name.insert(start + 1, 1, '9');
  EXPECT_TRUE(is_gone(name));
}

TEST(Worker, OfWhomNothingIsKnownIsNotGone) {
  const std::string name = name_of_the_dead(true);
  EXPECT_FALSE(is_gone(std::string("another-").append(name)));
  EXPECT_FALSE(is_gone(name + "1")) << "another namespace";
  for (const char* other : {"", "by hand", "host", "host:12", "host:12:34", ":::", "host:x:1:2"})
    EXPECT_FALSE(is_gone(other)) << other;
}

}  // namespace
}  // namespace trireme::tune
