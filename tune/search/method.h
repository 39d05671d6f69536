#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tune/space/space.h"

namespace trireme::tune {

/// What became of a trial, as far as a search cares.
enum class Outcome {
  kPending,     ///< being tried: no value yet
  kDone,        ///< has values
  kFailed,      ///< crashed, diverged, or gave a result that is not a finite number
  kInfeasible,  ///< said to be not allowed, whatever its values
};

/// A trial as a search sees it.
struct Observation {
  std::int64_t trial = 0;
  Point point;
  Outcome outcome = Outcome::kPending;
  std::vector<double> values;  ///< of kDone: one an objective, finite, lower is better
  std::string note;  ///< what the method itself wrote to it when it proposed the point; empty for others' points
};

/// Trials by ascending number.
using History = std::vector<Observation>;

/// What a search proposes.
struct Suggestion {
  Point point;
  std::string note;  ///< kept with the trial, given back in the history; for what a method has to remember
};

/// A way to search. A suggestion is a function of space, seed, the trial's number and the history alone: a method may
/// remember what it computed, but must give the same again without that memory. So a search that was killed and opened
/// again goes on as if nothing had happened, and the same seed gives the same search.
///
/// Trials may be pending in any number and come back in any order.
class Method {
 public:
  virtual ~Method() = default;

  /// The next point, which obeys the constraints; nothing when every point of the space has been tried.
  /// @param trial  number of the trial that it will become: above all numbers in `history`
  /// @throws Error kUsage when the constraints leave nothing
  virtual std::optional<Suggestion> suggest(const History& history, std::int64_t trial) = 0;
};

/// What bayes goes by where nothing else is said.
constexpr const char* kLogEi = "log-ei";

/// What a method is made from.
struct MethodContext {
  const Space& space;  ///< outlives the method
  std::uint64_t seed = 0;
  std::size_t objectives = 1;
  std::string acquisition = kLogEi;  ///< of bayes
};

}  // namespace trireme::tune
