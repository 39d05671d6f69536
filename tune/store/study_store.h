#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tune/store/trial.h"

namespace trireme::tune {

/// What a study is, beside its trials.
struct StudyRecord {
  std::string sweep;   ///< text of the sweep file
  std::string origin;  ///< its path, for messages
  double created = 0;  ///< seconds since 1970; create() fills it in
};

/// What a search proposes for a new trial.
struct Proposal {
  Parameters parameters;
  std::string note;
};

/// What ends a trial.
struct TrialResult {
  TrialState state = TrialState::kComplete;  ///< an ended one
  std::vector<double> values;                ///< of kComplete, and of nothing else: one at least, finite
  std::string reason;                        ///< one line
};

/// Where a study is kept: one SQLite file, or a PostgreSQL database that workers on several hosts share. Each call is
/// one transaction, durable when it returns, so a worker may be killed at any moment: a trial is then still where the
/// last call left it. Numbers of trials have no gaps, and no trial ends twice. docs/formats/study.md says what is
/// stored.
///
/// Whoever works on a trial holds it under a lease that it renews; a lease that ran out may be taken by another worker,
/// under a new attempt number. The old holder's calls are then refused (kTakenOver): no result of two workers counts.
/// A lease that ran out and that nobody took is still its holder's. Times are the host's for a file, and the server's
/// for PostgreSQL, so that hosts with wrong clocks agree.
///
/// A store may be used by one thread at a time; processes open their own, and so does a child of fork(). Calls wait for
/// others who are at work on the study, and throw kIo when that takes ten minutes or the disk is full.
class StudyStore {
 public:
  /// @param location  a path, or postgresql://[user[:password]@]host[:port]/database[?study=NAME&...]; a name that is
  /// not given is "default"
  /// @throws Error kUsage: there is a study already, a folder that is not there, a network file system, a URL of
  /// another kind; kBadInput: the database is of a newer version; kIo
  static StudyStore create(const std::string& location, const StudyRecord& record);
  /// @throws Error kNotFound; kBadInput: no study, one of a newer version (naming both), another host is at work on a
  /// SQLite file; kUsage: a network file system, a URL of another kind; kCorrupt; kIo
  static StudyStore open(const std::string& location);
  /// Whether create() would find the place taken: by a study, or by any other file.
  static bool exists(const std::string& location);

  StudyStore(StudyStore&&) noexcept;
  StudyStore& operator=(StudyStore&&) noexcept;
  ~StudyStore();

  const StudyRecord& record() const;
  const std::string& location() const;  ///< without a password

  /// Another sweep file of the same search, which those who open the study from now on see.
  void set_sweep(const std::string& sweep, const std::string& origin);

  /// All trials by number, as of now. What has not changed since the last call is not read again.
  const std::vector<Trial>& trials();

  /// Adds a trial that waits: an enqueued point. @returns its number
  /// @throws Error kBadInput: a number that is not finite, a parameter that is there twice, text that is not UTF-8
  std::int64_t enqueue(const Parameters& parameters);

  struct ClaimOptions {
    std::string worker;
    double lease_seconds = 0;      ///< 0: without end, until told
    std::int64_t most_trials = 0;  ///< no new trial beyond this number of them; 0: no limit
  };
  /// Gives what a new trial, of this number, is to be; it sees all trials before. Nothing: the space is exhausted. Must
  /// be a function of these two alone: it is asked again where a transaction has to be run again.
  using Propose = std::function<std::optional<Proposal>(const std::vector<Trial>& trials, std::int64_t number)>;
  /// The next trial to work on, now kRunning under a new attempt: one that waits or whose lease ran out, by number;
  /// else a new one that `propose` gives. All in one transaction that others wait for, so that a proposal has seen all
  /// earlier ones; what `propose` throws undoes it and is passed on.
  std::optional<Trial> claim(const ClaimOptions& options, const Propose& propose);

  /// Renews a lease from now on. @throws Error kTakenOver: the trial has ended or is another attempt's
  void renew(std::int64_t trial, std::int64_t attempt, double lease_seconds);
  /// Gives a trial back: it waits, and the next claim takes it. @throws Error kTakenOver
  void release(std::int64_t trial, std::int64_t attempt, const std::string& reason);
  /// Lets a trial that failed be tried again: it waits, for kRetried. @throws Error kBadInput: no such trial, one that
  /// has not failed
  void retry(std::int64_t trial);
  /// Lets a lease run out now: for whoever knows that its holder is gone. Does nothing when the attempt has ended, was
  /// given back or taken over: its holder may have come to that before it died.
  void expire(std::int64_t trial, std::int64_t attempt);
  /// @param attempt  who tells; nothing: whoever it is (a loop that asked without a lease)
  /// @throws Error kBadInput: no such trial, it has ended already (naming its result), values that are not finite or do
  /// not go with the state; kTakenOver: another attempt's
  void finish(std::int64_t trial, std::optional<std::int64_t> attempt, const TrialResult& result);

 private:
  struct Body;
  explicit StudyStore(std::unique_ptr<Body> body);
  std::unique_ptr<Body> body_;
};

}  // namespace trireme::tune
