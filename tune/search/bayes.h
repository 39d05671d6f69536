#pragma once
#include <memory>
#include <string>
#include <vector>

#include "tune/bayes/acquisition_search.h"
#include "tune/search/method.h"
#include "tune/search/sobol.h"
#include "tune/search/untried.h"

namespace trireme::tune {

/// Bayesian optimisation: a Gaussian process is fitted to all values, and the next trial is where it promises the most.
///
/// The first trial of its own is the middle of all ranges, since whoever wrote them put them around what they believe
/// in; then come a few of a Sobol sequence, and from then on the process decides, with trials that are running taken
/// for what it expects of them, and those that failed for what not to repeat. How much must be gained to count turns
/// through three sizes, so that some trials polish what is best and others look where little is known; and each branch
/// of a conditional space gets its share of trials. In many dimensions most trials of one objective stay near the best
/// one. With several objectives each has its own process, and a trial promises what it adds to the hypervolume of the
/// front. Nothing has to be chosen; who wants to may have an upper confidence bound or a Thompson sample decide in
/// place of the expected improvement.
///
/// Sources: Jones et al. 1998, "Efficient global optimization of expensive black-box functions"; the parts name theirs.
class Bayes final : public Method {
 public:
  explicit Bayes(const MethodContext& context);
  std::optional<Suggestion> suggest(const History& history, std::int64_t trial) override;

 private:
  /// One of the values of a dimension that others depend on.
  struct Branch {
    std::size_t dimension;
    std::int64_t level;
  };
  std::uint64_t seed_of(std::int64_t trial) const;
  TrialRandom looking_random(std::int64_t trial) const;  // of the points that are looked at first
  std::optional<Suggestion> initial(const History& history, std::int64_t trial) const;
  std::optional<Branch> neglected_branch(const History& history) const;
  /// What the next trial is looked for by, and where.
  struct Target {
    std::unique_ptr<Acquisition> acquisition;
    Region within;
  };
  std::unique_ptr<Acquisition> improvement(const std::vector<Surrogate>& surrogates, const Eigen::VectorXd& values,
                                           const KernelInputs& pending, std::int64_t trial) const;
  Region region(const History& history, const Surrogate& surrogate, std::int64_t trial) const;
  Target promise(const History& history, const std::vector<const Observation*>& done, const KernelInputs& pending,
                 const std::vector<Point>& good, std::int64_t trial) const;
  Target target(const History& history, const std::vector<const Observation*>& done, const std::vector<Point>& good,
                std::int64_t trial) const;

  const Space& space_;
  std::uint64_t seed_;
  std::size_t objectives_;
  std::string acquisition_;
  Kernel kernel_;
  AcquisitionSearch search_;
  Sobol sobol_;
  Untried untried_;
  std::vector<std::size_t> parents_;    // dimensions with branches, themselves always there
  std::vector<Eigen::Index> regional_;  // columns in which a trust region has edges
};

/// What may decide for a trial: log-ei (noisy where values are, hypervolume of several objectives), ucb, thompson.
const std::vector<std::string>& acquisition_names();

/// @throws Error kUsage: more than six objectives, or an acquisition that does not take several; an unknown one
std::unique_ptr<Method> make_bayes(const MethodContext& context);

}  // namespace trireme::tune
