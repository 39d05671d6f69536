#include <sys/mman.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include "core/base/descriptor.h"
#include "core/base/random.h"
#include "core/base/text.h"
#include "tune/store/study_testing.h"

// Many processes on one study, and what is left when they are killed.
namespace trireme::tune {
namespace {

using Clock = std::chrono::steady_clock;
using Attempt = std::pair<std::int64_t, std::int64_t>;  // trial, attempt
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

class StudySharing : public OnEachDatabase {};
INSTANTIATE_TEST_SUITE_P(, StudySharing, testing::Values("sqlite", "postgresql"), database_name);

TEST_P(StudySharing, IsMadeByOneOfThoseWhoTryAtOnce) {
  const std::string place = location();
  constexpr int kMakers = 8;
  std::vector<pid_t> makers;
  for (int i = 0; i < kMakers; ++i)
    makers.push_back(in_child([&] {
      try {
        StudyStore::create(place, {std::to_string(i), ""}).enqueue({});
      } catch (const Error& error) {
        if (error.code() != ErrorCode::kUsage) throw;
        StudyStore::open(place).enqueue({});
        ::_exit(3);
      }
    }));
  int made = 0;
  for (const pid_t maker : makers) {
    const int status = status_of(maker);
    EXPECT_TRUE(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 3));
    made += status == 0;
  }
  EXPECT_EQ(made, 1);
  EXPECT_THAT(StudyStore::open(place).trials(), SizeIs(kMakers));
}

// A line for each call that returned, written at once, so that a killed worker's calls are known but for the last one.
class Log {
 public:
  explicit Log(const fs::path& path) : path_(path), file_(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600)) {}
  void add(char what, const Trial& trial) {
    const std::string line =
        std::string(1, what) + " " + std::to_string(trial.number) + " " + std::to_string(trial.attempt) + "\n";
    if (::write(file_.get(), line.data(), line.size()) < 0) throw Error(ErrorCode::kIo, "log");
  }
  std::vector<Attempt> all(char what) const {
    std::vector<Attempt> found;
    std::ifstream lines(path_);
    char kind = 0;
    for (Attempt attempt; lines >> kind >> attempt.first >> attempt.second;)
      if (kind == what) found.push_back(attempt);
    return found;
  }

 private:
  fs::path path_;
  Descriptor file_;
};

// Takes trials and finishes them, gives them back or forgets them, until it is killed. A trial's value is the number of
// the attempt that gave it.
void work_until_killed(const std::string& place, const fs::path& log_file, std::uint64_t seed) {
  StudyStore store = StudyStore::open(place);
  Log log(log_file);
  const RandomStream random(seed, "worker");
  for (std::uint64_t i = 0;; ++i) try {
      const Trial trial = store.claim({"", 0.05}, propose_number).value();
      log.add('c', trial);
      const double what = random.uniform(i);
      if (what < 0.05) std::this_thread::sleep_for(std::chrono::milliseconds(100));  // another one takes it meanwhile
      if (what > 0.04 && what < 0.3) store.renew(trial.number, trial.attempt, 0.05);
      if (what < 0.7) {
        store.finish(trial.number, trial.attempt, {TrialState::kComplete, {static_cast<double>(trial.attempt)}});
        log.add('f', trial);
      } else if (what < 0.9) {
        store.release(trial.number, trial.attempt, "given back");
      }
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kTakenOver) throw;
    }
}

TEST_P(StudySharing, LosesNothingWhenWorkersAreKilledAtAnyMoment) {
  constexpr int kWorkers = 4, kKills = 100;
  const std::string place = location();
  const fs::path log_file = folder() / "log";
  create();
  const RandomStream random(1, "kills");
  std::uint64_t seed = 0;
  const auto start = [&] { return in_child([&, seed = seed++] { work_until_killed(place, log_file, seed); }); };
  const auto end = [](pid_t worker) {
    ::kill(worker, SIGKILL);
    EXPECT_TRUE(WIFSIGNALED(status_of(worker))) << "a worker ended by itself";
  };
  std::vector<pid_t> workers;
  for (int i = 0; i < kWorkers; ++i) workers.push_back(start());
  for (std::uint64_t i = 0; i < kKills; ++i) {
    std::this_thread::sleep_for(std::chrono::duration<double>(0.07 * random.uniform(i)));
    pid_t& worker = workers[random.bits(i, 1) % kWorkers];
    end(worker);
    worker = start();
  }
  for (const pid_t worker : workers) end(worker);
  constexpr std::int64_t kEnds = kKills + kWorkers;  // so many calls may have been done and not been noted

  StudyStore store = StudyStore::open(place);
  const Log log(log_file);
  const std::vector<Attempt> claimed = log.all('c'), finished = log.all('f');
  EXPECT_EQ(std::set(claimed.begin(), claimed.end()).size(), claimed.size()) << "an attempt was handed out twice";
  std::int64_t attempts = 0, complete = 0, number = 0;
  std::map<std::int64_t, std::int64_t> ended_by;
  for (const Trial& trial : store.trials()) {
    EXPECT_EQ(trial.number, number++);
    EXPECT_GE(trial.attempt, 1);
    EXPECT_EQ(std::get<std::int64_t>(trial.parameters.at(0).value), trial.number);
    attempts += trial.attempt;
    if (trial.state != TrialState::kComplete) continue;
    EXPECT_THAT(trial.values, ElementsAre(static_cast<double>(trial.attempt))) << "an earlier holder's value";
    ended_by[trial.number] = trial.attempt;
    ++complete;
  }
  std::set<std::int64_t> once;
  for (const auto& [trial, attempt] : finished) {
    EXPECT_TRUE(once.insert(trial).second) << "trial " << trial << " ended twice";
    EXPECT_EQ(ended_by[trial], attempt) << "the result of trial " << trial << " was lost";
  }
  for (const auto& [trial, attempt] : claimed) EXPECT_GE(store.trials().at(trial).attempt, attempt);
  EXPECT_GT(finished.size(), 50u);
  EXPECT_GE(complete, std::ssize(finished));
  EXPECT_LE(complete, std::ssize(finished) + kEnds);
  EXPECT_GE(attempts, std::ssize(claimed));
  EXPECT_LE(attempts, std::ssize(claimed) + kEnds);
  if (is_file()) {
    EXPECT_THAT(SqliteDatabase(place).execute("pragma integrity_check"), ElementsAre(ElementsAre(Cell("ok"))));
  }
}

struct Share {
  std::int64_t claims;
  double longest_wait_s;
};

// TRIREME_TEST_SECONDS makes it a measurement: the numbers are in the last line of output.
TEST_P(StudySharing, ServesSixtyFourWorkersWithoutAnError) {
  constexpr std::size_t kWorkers = 64;
  const char* const asked = std::getenv("TRIREME_TEST_SECONDS");
  const double seconds = asked ? std::stod(asked) : 1;
  const std::string place = location();
  create();
  auto* const shares = static_cast<Share*>(
      ::mmap(nullptr, kWorkers * sizeof(Share), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(shares, MAP_FAILED);
  std::vector<pid_t> workers;
  for (std::size_t i = 0; i < kWorkers; ++i)
    workers.push_back(in_child([&, i] {
      StudyStore store = StudyStore::open(place);
      const auto timed = [&](const auto& call) {
        const auto begin = Clock::now();
        call();
        shares[i].longest_wait_s = std::max(shares[i].longest_wait_s, seconds_since(begin));
      };
      const auto begin = Clock::now();
      do {
        std::optional<Trial> trial;
        timed([&] { trial = store.claim({"", 3600}, propose_number); });
        timed([&] { store.finish(trial->number, trial->attempt, {TrialState::kComplete, {1}}); });
        ++shares[i].claims;
      } while (seconds_since(begin) < seconds);
    }));
  for (const pid_t worker : workers) EXPECT_EQ(status_of(worker), 0);
  std::int64_t claims = 0;
  double longest_wait_s = 0;
  for (std::size_t i = 0; i < kWorkers; ++i) {
    EXPECT_GT(shares[i].claims, 0);
    claims += shares[i].claims;
    longest_wait_s = std::max(longest_wait_s, shares[i].longest_wait_s);
  }
  ::munmap(shares, kWorkers * sizeof(Share));
  StudyStore store = StudyStore::open(place);
  EXPECT_THAT(store.trials(), SizeIs(claims));
  for (const Trial& trial : store.trials()) {
    EXPECT_EQ(trial.attempt, 1);
    EXPECT_EQ(trial.state, TrialState::kComplete);
  }
  std::cout << GetParam() << ": " << kWorkers << " workers claimed and finished "
            << count_text(static_cast<double>(claims) / seconds) << " trials a second; the longest wait of a call was "
            << duration_text(longest_wait_s) << " (" << trireme::to_text(longest_wait_s) << " s)\n";
}

}  // namespace
}  // namespace trireme::tune
