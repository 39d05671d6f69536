#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tune/search/method.h"
#include "tune/store/study_store.h"
#include "tune/sweep/sweep.h"

namespace trireme::tune {

/// A sweep and where it is kept: what the command line and the local runner work with. It joins the search, which knows
/// points and values to be minimised, to the store, which knows parameters and values as they were reported.
///
/// A suggestion is a function of the sweep and of the trials stored before it, so a study that was killed goes on as if
/// it had not been.
class Study {
 public:
  /// Makes the store of a sweep that a search can begin. @throws Error kUsage as parse_sweep, StudyStore::create and
  /// make_method, and where the constraints leave nothing to try
  /// @param origin  the sweep file's path
  static Study create(const std::string& location, std::string_view sweep_text, const std::string& origin);
  /// @throws Error as StudyStore::open
  static Study open(const std::string& location);
  /// Goes on with another sweep file of the same search, in which no other keys than limits differ.
  /// @returns those that do
  /// @throws Error kUsage: as parse_sweep; others differ, naming them, or `base` is another file
  std::vector<std::string> take_limits(std::string_view sweep_text, const std::string& origin);
  Study(Study&&) noexcept;
  Study& operator=(Study&&) noexcept;
  ~Study();

  const Sweep& sweep() const;
  StudyStore& store();
  /// All trials by number, as of now.
  const std::vector<Trial>& trials();
  /// Trials as the search sees them: points, values to be minimised. Those whose parameters are no point of the space
  /// (somebody else wrote them) are left out.
  History history();

  /// The next trial to try: one that waits or whose holder is gone, else a new one: first the sweep's enqueued points,
  /// then what the search proposes. Nothing when the sweep's number of trials is reached or every point of its space
  /// has been tried.
  /// @param lease_seconds  0: without end, until told
  std::optional<Trial> ask(const std::string& worker, double lease_seconds);

  /// Values as the program reported them, one an objective in the sweep's order. One that is not finite ends the trial
  /// as failed, with that as its reason. @param attempt  as StudyStore::finish
  /// @throws Error kBadInput: a wrong number of values, and as StudyStore::finish
  void tell(std::int64_t trial, std::optional<std::int64_t> attempt, const std::vector<double>& values);
  /// @param state  kFailed or kInfeasible
  void tell(std::int64_t trial, std::optional<std::int64_t> attempt, TrialState state, const std::string& reason);

  /// The complete trial of the best value, the first of equal ones; of several objectives, all that no other dominates,
  /// by number. Good until the study is next asked, told or read.
  std::vector<const Trial*> best();
  /// Whether no further trial would be handed out and none is running or waiting.
  bool is_finished();

 private:
  struct Body;
  explicit Study(std::unique_ptr<Body> body);
  std::unique_ptr<Body> body_;
};

/// Where the runs of a study lie: STUDY.runs beside its file; for a database, NAME.runs in the current folder.
std::string runs_folder(const std::string& location);
/// The folder of one trial in it: "000017".
std::string trial_folder(const std::string& location, std::int64_t trial);

}  // namespace trireme::tune
