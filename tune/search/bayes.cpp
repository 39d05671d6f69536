#include "tune/search/bayes.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/base/text.h"
#include "tune/bayes/hypervolume_improvement.h"
#include "tune/bayes/thompson_sample.h"
#include "tune/bayes/upper_confidence_bound.h"
#include "tune/search/ranking.h"
#include "tune/search/trial_random.h"

namespace trireme::tune {
namespace {

constexpr const char* kStream = "tune/bayes";
constexpr std::uint64_t kInitialAttempts = 1000;
constexpr std::int64_t kMostBranches = 10;  // of a parent that get their share
// Of all trials, that each of up to three branches gets at least: where it looks worst for want of trials in its own
// dimensions, no acquisition would look again.
constexpr double kBranchShare = 0.2;
constexpr const char *kUcb = "ucb", *kThompson = "thompson";
// Of those in which a trust region has edges: from here on most trials stay within one. At 20 dimensions and 120 trials
// it made no difference that showed over Ackley, Levy, Rosenbrock, a rotated bowl and Hartmann-6 among 20.
constexpr std::size_t kManyDimensions = 30;
constexpr std::size_t kMostObjectives = 6;  // the cost grows with a power of their number
// That processes are told of. Those of several objectives have to stand on the same points, so they are exact.
constexpr std::size_t kMostPoints = 5000, kMostPointsOfSeveral = 1000;
// Of hyperparameters, beside the likeliest, where values are noisy.
constexpr int kDraws = 3;
// Of several objectives: where their values begin to count by their logarithm, in distances from the best to the middle
// one. Volume is to be that of the values themselves, but for what lies so far off that it would hide all the rest.
constexpr double kFarFromTheBest = 10;
// What an improvement must come to, as a share of the distance from the best value to the middle one.
constexpr double kMargins[] = {1e-4, 1e-3, 1e-2};

std::int64_t initial_trials(const Kernel& kernel) { return 1 + std::max<std::int64_t>(4, kernel.dimensions()); }

// Of many trials, those that count: the best ones for half of what is taken, and the latest of the rest.
// @param done  best first
std::vector<const Observation*> those_that_count(std::vector<const Observation*> done, std::size_t most) {
  const auto earlier = [](const Observation* a, const Observation* b) { return a->trial < b->trial; };
  if (done.size() > most) {
    const auto middle = done.begin() + static_cast<std::ptrdiff_t>(most / 2);
    std::sort(middle, done.end(), [&](const Observation* a, const Observation* b) { return earlier(b, a); });
    done.resize(most);
  }
  std::sort(done.begin(), done.end(), earlier);
  return done;
}

// Whether a point has been tried. Positions come back from stored parameters with the rounding of exp and log.
bool is_among(const History& history, const Point& point) {
  constexpr double kRounding = 1e-9;
  const auto same = [](double a, double b) { return std::isnan(a) ? std::isnan(b) : std::abs(a - b) <= kRounding; };
  return std::any_of(history.begin(), history.end(), [&](const Observation& each) {
    return std::equal(point.begin(), point.end(), each.point.begin(), each.point.end(), same);
  });
}

std::size_t margin_of(std::int64_t trial) { return static_cast<std::size_t>(trial) % std::size(kMargins); }

// Trials whose improvement has to be the largest, and as many of those that go by something else, look everywhere.
bool looks_everywhere(std::int64_t trial) { return margin_of(trial) == std::size(kMargins) - 1; }

double middle_of(Eigen::VectorXd values) {
  const auto middle = values.begin() + values.size() / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

Bayes::Bayes(const MethodContext& context)
    : space_(context.space),
      seed_(context.seed),
      objectives_(context.objectives),
      acquisition_(context.acquisition),
      kernel_(context.space),
      search_(space_, kernel_),
      sobol_(space_.size(), context.seed),
      untried_(space_) {
  std::vector<bool> has_branches(space_.size(), false);
  for (std::size_t i = 0; i < space_.size(); ++i)
    for (const auto& [parent, condition] : space_.gates(i)) {
      has_branches[parent] = true;
      const std::int64_t levels = space_[parent].levels();
      if (!space_.gates(parent).empty() || levels < 2 || levels > kMostBranches) continue;
      if (std::find(parents_.begin(), parents_.end(), parent) == parents_.end()) parents_.push_back(parent);
    }
  for (Eigen::Index c = 0; c < kernel_.dimensions(); ++c)
    if (search_.is_smooth(c) && kernel_.column(c).group == 0 && !has_branches[kernel_.column(c).dimension])
      regional_.push_back(c);
}

std::optional<Suggestion> Bayes::initial(const History& history, std::int64_t trial) const {
  const Point middle = space_.snap(Point(space_.size(), 0.5));
  if (space_.is_feasible(middle) && !is_among(history, middle)) return Suggestion{middle, ""};
  // Point 0 of the sequence and its like belong to trials; those that constraints or earlier trials forbid are replaced
  // by others far down the sequence.
  for (std::uint64_t attempt = 0; attempt < kInitialAttempts; ++attempt) {
    const Point point = space_.draw(sobol_.point(static_cast<std::uint64_t>(trial) + (attempt << 20)));
    if (space_.is_feasible(point) && untried_.contains(point)) return Suggestion{point, ""};
  }
  const RandomStream random(seed_, kStream);
  const auto uniform = [&](std::uint64_t attempt, std::size_t dimension) {
    return random.uniform(static_cast<std::uint64_t>(trial), attempt * space_.size() + dimension);
  };
  if (!untried_.distinct()) return Suggestion{space_.draw_feasible(uniform), ""};
  const auto point = untried_.pick(uniform(0, 0));
  return point ? std::optional(Suggestion{*point, ""}) : std::nullopt;
}

std::unique_ptr<Acquisition> Bayes::improvement(const std::vector<Surrogate>& surrogates, const Eigen::VectorXd& values,
                                                const KernelInputs& pending, std::int64_t trial) const {
  const double best = values.minCoeff();
  const double margin = 2 * kMargins[margin_of(trial)] * (middle_of(values) / 2 - best / 2);
  std::vector<std::unique_ptr<Acquisition>> beliefs;
  for (const Surrogate& surrogate : surrogates)
    beliefs.push_back(std::make_unique<LogImprovement>(surrogate, pending, margin, seed_of(trial)));
  return std::make_unique<LogMeanAcquisition>(std::move(beliefs));
}

Region Bayes::region(const History& history, const Surrogate& surrogate, std::int64_t trial) const {
  if (regional_.size() < kManyDimensions || looks_everywhere(trial)) return Region::whole(kernel_.dimensions());
  std::vector<TrustRegion::Trial> trials;
  std::vector<const Point*> points;
  for (const Observation& each : history) {
    if (each.outcome != Outcome::kDone) continue;
    trials.push_back({each.values[0], each.trial >= initial_trials(kernel_) && !looks_everywhere(each.trial)});
    points.push_back(&each.point);
  }
  const TrustRegion trusted(trials, regional_.size());
  return trusted.around(kernel_.inputs(*points[trusted.centre()]).x.row(0).transpose(),
                        surrogate.process.parameters().kernel.log_inverse_length, regional_);
}

Bayes::Target Bayes::promise(const History& history, const std::vector<const Observation*>& done,
                             const KernelInputs& pending, const std::vector<Point>& good, std::int64_t trial) const {
  std::vector<Point> points;
  for (const Observation* each : done) points.push_back(each->point);
  const KernelInputs inputs = kernel_.inputs(points);
  const auto values_of = [&](std::size_t objective) {
    Eigen::VectorXd values(inputs.size());
    for (std::size_t i = 0; i < done.size(); ++i) values[static_cast<Eigen::Index>(i)] = done[i]->values[objective];
    return values;
  };
  if (objectives_ > 1) {
    std::vector<Surrogate> surrogates;
    for (std::size_t m = 0; m < objectives_; ++m)
      surrogates.push_back(fit_surrogate(kernel_, inputs, values_of(m), {.delta = kFarFromTheBest}));
    return {std::make_unique<LogHypervolumeImprovement>(surrogates, pending, seed_of(trial)),
            Region::whole(kernel_.dimensions())};
  }
  const Eigen::VectorXd values = values_of(0);
  TrialRandom random(RandomStream(seed_, kStream), trial, 2);
  const auto surrogates =
      fit_surrogates(kernel_, inputs, values, {.warp = true}, acquisition_ == kLogEi ? kDraws : 0, random);
  const Surrogate& likeliest = surrogates.front();
  Region within = region(history, likeliest, trial);
  if (acquisition_ == kLogEi) return {improvement(surrogates, values, pending, trial), std::move(within)};
  if (acquisition_ == kUcb) {
    const double kappa = usual_kappa(kernel_.dimensions(), inputs.size());
    return {std::make_unique<UpperConfidenceBound>(likeliest, pending, kappa), std::move(within)};
  }
  TrialRandom looking = looking_random(trial);
  const KernelInputs support = kernel_.inputs(search_.draws(good, looking, within));  // where it will be looked
  return {std::make_unique<ThompsonSample>(likeliest, support, seed_of(trial)), std::move(within)};
}

Bayes::Target Bayes::target(const History& history, const std::vector<const Observation*>& done,
                            const std::vector<Point>& good, std::int64_t trial) const {
  std::vector<Point> pending, judged;
  for (const Observation& each : history) {
    if (each.outcome == Outcome::kPending) pending.push_back(each.point);
    if (each.outcome == Outcome::kFailed || each.outcome == Outcome::kInfeasible) judged.push_back(each.point);
  }
  Target promised = promise(history, done, kernel_.inputs(pending), good, trial);
  if (judged.empty()) return promised;

  Eigen::VectorXd labels = Eigen::VectorXd::Ones(static_cast<Eigen::Index>(judged.size() + done.size()));
  labels.head(static_cast<Eigen::Index>(judged.size())).setConstant(-1);
  for (const Observation* each : done) judged.push_back(each->point);
  std::vector<std::unique_ptr<Acquisition>> parts;
  parts.push_back(std::move(promised.acquisition));
  parts.push_back(std::make_unique<LogFeasibility>(kernel_, kernel_.inputs(judged), labels));
  return {std::make_unique<SumAcquisition>(std::move(parts)), std::move(promised.within)};
}

std::optional<Bayes::Branch> Bayes::neglected_branch(const History& history) const {
  std::optional<Branch> neglected;
  double fewest = kBranchShare;
  for (const std::size_t parent : parents_) {
    const auto levels = static_cast<std::size_t>(space_[parent].levels());
    std::vector<double> counts(levels, 0);
    for (const Observation& each : history)
      counts[static_cast<std::size_t>(space_[parent].level_of(each.point[parent]))] += 1;
    // Of many branches, all together get no more than of three.
    const double fair = std::min(1.0, 3.0 / static_cast<double>(levels)) * static_cast<double>(history.size());
    for (std::size_t level = 0; level < levels; ++level) {
      if (counts[level] >= fewest * fair) continue;
      fewest = counts[level] / fair;
      neglected = {parent, static_cast<std::int64_t>(level)};
    }
  }
  return neglected;
}

std::optional<Suggestion> Bayes::suggest(const History& history, std::int64_t trial) {
  untried_.see(history);
  std::vector<const Observation*> done;
  for (const std::size_t i : best_first(history))
    if (history[i].outcome == Outcome::kDone) done.push_back(&history[i]);
  if (static_cast<std::int64_t>(done.size()) < initial_trials(kernel_) || kernel_.dimensions() == 0)
    return initial(history, trial);

  std::vector<Point> good;
  for (std::size_t i = 0; i < std::min<std::size_t>(5, done.size()); ++i) good.push_back(done[i]->point);
  // No point twice: in a discrete space that is a waste, and elsewhere it takes the same number to come up again.
  const auto allowed = [&](const Point& point) { return !is_among(history, point); };
  const std::size_t most = objectives_ > 1 ? kMostPointsOfSeveral : kMostPoints;
  const Target aim = target(history, those_that_count(std::move(done), most), good, trial);
  if (const auto branch = neglected_branch(history)) {
    const auto of_branch = [&](const Point& point) {
      return allowed(point) && space_[branch->dimension].level_of(point[branch->dimension]) == branch->level;
    };
    TrialRandom random = looking_random(trial);
    if (const auto found = search_.find(*aim.acquisition, good, of_branch, random, aim.within))
      return Suggestion{found->point, ""};
  }
  TrialRandom random = looking_random(trial);
  const auto found = search_.find(*aim.acquisition, good, allowed, random, aim.within);
  return found ? std::optional(Suggestion{found->point, ""}) : initial(history, trial);
}

TrialRandom Bayes::looking_random(std::int64_t trial) const {
  return TrialRandom(RandomStream(seed_, kStream), trial, 1);
}

std::uint64_t Bayes::seed_of(std::int64_t trial) const { return seed_ ^ static_cast<std::uint64_t>(trial); }

const std::vector<std::string>& acquisition_names() {
  static const std::vector<std::string> kNames{kLogEi, kUcb, kThompson};
  return kNames;
}

std::unique_ptr<Method> make_bayes(const MethodContext& context) {
  const auto& names = acquisition_names();
  if (std::find(names.begin(), names.end(), context.acquisition) == names.end())
    throw Error(ErrorCode::kUsage, "unknown acquisition ", context.acquisition,
                did_you_mean(context.acquisition, names), "; there are ", join(names, ", "));
  if (context.objectives > 1 && context.acquisition != kLogEi)
    throw Error(ErrorCode::kUsage, "acquisition ", context.acquisition, " takes one objective, got ",
                context.objectives, "; ", kLogEi, " takes several");
  if (context.objectives > kMostObjectives)
    throw Error(ErrorCode::kUsage, "bayes takes up to ", kMostObjectives, " objectives, got ", context.objectives,
                "; tpe and evolution take any number");
  return std::make_unique<Bayes>(context);
}

}  // namespace trireme::tune
