#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tune/search/method.h"

namespace trireme::tune {

/// A search in memory, for C++ programs: ask for parameters, try them, tell what came of it; in any order and any
/// number at a time.
///
///     Search search(Space({Dimension::real("x", -5, 5)}), {.method = "bayes", .seed = 1});
///     for (int i = 0; i < 30; ++i) {
///       const auto trial = search.ask();
///       search.tell(trial->number, {f(trial->parameters)});
///     }
///
/// Nothing is stored: studies that outlive a process are tune/store's.
class Search {
 public:
  struct Options {
    std::string method = "bayes";
    std::uint64_t seed = 0;
    std::size_t objectives = 1;
    std::string acquisition = kLogEi;  ///< of bayes
  };
  struct Trial {
    std::int64_t number;
    Parameters parameters;
  };

  /// @throws Error kUsage as make_method
  Search(Space space, const Options& options);
  Search(const Search&) = delete;  // the method refers to the space
  Search& operator=(const Search&) = delete;

  /// The next trial; nothing when every point of a discrete space has been tried.
  std::optional<Trial> ask();
  /// @param values  one an objective, lower is better; one that is not finite makes the trial a failed one
  /// @throws Error kBadInput: no such trial, told before, a wrong number of values
  void tell(std::int64_t trial, std::vector<double> values);
  /// @param outcome  kFailed or kInfeasible
  void tell(std::int64_t trial, Outcome outcome);

  const Space& space() const { return space_; }
  const History& history() const { return history_; }

 private:
  Observation& pending(std::int64_t trial);
  Space space_;
  std::size_t objectives_;
  std::unique_ptr<Method> method_;
  History history_;
};

}  // namespace trireme::tune
