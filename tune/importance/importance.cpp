#include "tune/importance/importance.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/base/error.h"
#include "core/base/random.h"
#include "tune/bayes/surrogate.h"
#include "tune/importance/random_forest.h"
#include "tune/importance/tree_anova.h"

namespace trireme::tune {
namespace {

constexpr std::size_t kLeastTrials = 10;
constexpr std::size_t kTrees = 64;
constexpr double kFence = 2;                    // how many times as far from the best as three quarters of all values
constexpr std::size_t kMostKernelTrials = 200;  // fitting takes the cube of it
constexpr Eigen::Index kKernelDraws = 512;

struct CompleteTrials {
  std::vector<Point> points;
  std::vector<double> values;
  bool all_the_same() const {
    const auto [least, most] = std::minmax_element(values.begin(), values.end());
    return *most / 2 - *least / 2 == 0;  // halved: finite values may be too far apart for their difference
  }
};

CompleteTrials complete_trials(const History& history, std::size_t objective) {
  CompleteTrials found;
  for (const Observation& observation : history) {
    if (observation.outcome != Outcome::kDone) continue;
    if (objective >= observation.values.size())
      throw Error(ErrorCode::kBadInput, "there is no objective ", objective, ": trial ", observation.trial, " has ",
                  observation.values.size(), " values, counted from 0");
    found.points.push_back(observation.point);
    found.values.push_back(observation.values[objective]);
  }
  if (found.values.size() < kLeastTrials)
    throw Error(ErrorCode::kBadInput, "importance needs ", kLeastTrials, " complete trials or more, got ",
                found.values.size());
  return found;
}

std::vector<Importance> most_important_first(const Space& space, const std::vector<double>& shares) {
  std::vector<Importance> result;
  for (std::size_t i = 0; i < space.size(); ++i) result.push_back({space[i].name, shares[i]});
  std::stable_sort(result.begin(), result.end(),
                   [](const Importance& a, const Importance& b) { return a.share > b.share; });
  return result;
}

// In deviations from the mean, very bad values cut off.
std::vector<double> without_tail(std::vector<double> values) {
  std::vector<double> sorted = values;
  std::sort(sorted.begin(), sorted.end());
  const auto from_best = [&](double value) { return value / 2 - sorted[0] / 2; };
  double scale = from_best(sorted[sorted.size() * 3 / 4]);
  if (scale == 0) scale = from_best(sorted.back());
  double mean = 0, square = 0;
  const auto n = static_cast<double>(values.size());
  for (double& value : values) {
    value = std::min(from_best(value) / scale, kFence);
    mean += value / n;
  }
  for (const double value : values) square += (value - mean) * (value - mean) / n;
  for (double& value : values) value = (value - mean) / std::sqrt(square);
  return values;
}

ForestData forest_data(const Space& space, const CompleteTrials& trials) {
  ForestData data;
  data.values = without_tail(trials.values);
  for (std::size_t i = 0; i < space.size(); ++i) {
    data.categories.push_back(space[i].is_ordered() ? 0 : static_cast<std::size_t>(space[i].levels()));
    std::vector<double>& column = data.columns.emplace_back();
    for (const Point& point : trials.points) column.push_back(point[i]);
  }
  return data;
}

// Visits each tree that found anything to tell apart. @returns how many, at least 1
std::size_t for_each_tree(const ForestData& data, std::uint64_t seed,
                          const std::function<void(const TreeAnova&)>& visit) {
  const RandomForest forest(data, kTrees, seed);
  std::size_t count = 0;
  for (const RegressionTree& tree : forest.trees()) {
    const TreeAnova anova(tree, data.categories);
    if (!(anova.variance() > 0)) continue;
    visit(anova);
    ++count;
  }
  return std::max<std::size_t>(count, 1);
}

// Of the fitted function at draws of the space. @param redrawn  the dimension that is drawn anew; size(): none
Eigen::VectorXd fitted_values(const Space& space, const Surrogate& surrogate, std::size_t redrawn) {
  const RandomStream random(0, "importance/kernel");
  std::vector<Point> points;
  std::vector<double> uniforms(space.size());
  for (std::uint64_t k = 0; k < kKernelDraws; ++k) {
    for (std::size_t i = 0; i < space.size(); ++i) uniforms[i] = random.uniform(k, i == redrawn ? i + space.size() : i);
    points.push_back(space.draw(uniforms));
  }
  return surrogate.process.predict(surrogate.process.kernel().inputs(points)).mean;
}

}  // namespace

std::vector<Importance> fanova_importance(const Space& space, const History& history, std::size_t objective,
                                          std::uint64_t seed) {
  const CompleteTrials trials = complete_trials(history, objective);
  std::vector<double> shares(space.size());
  if (trials.all_the_same()) return most_important_first(space, shares);
  const std::size_t trees = for_each_tree(forest_data(space, trials), seed, [&](const TreeAnova& anova) {
    for (std::size_t i = 0; i < space.size(); ++i) shares[i] += anova.main_effect(i) / anova.variance();
  });
  for (double& share : shares) share /= static_cast<double>(trees);
  return most_important_first(space, shares);
}

std::vector<PairImportance> fanova_pairs(const Space& space, const History& history, std::size_t objective,
                                         std::uint64_t seed, std::size_t most) {
  const CompleteTrials trials = complete_trials(history, objective);
  std::vector<PairImportance> pairs;
  for (std::size_t i = 0; i < space.size(); ++i)
    for (std::size_t j = i + 1; j < space.size(); ++j) pairs.push_back({space[i].name, space[j].name, 0});
  if (!trials.all_the_same()) {
    const std::size_t trees = for_each_tree(forest_data(space, trials), seed, [&](const TreeAnova& anova) {
      auto pair = pairs.begin();
      for (std::size_t i = 0; i < space.size(); ++i)
        for (std::size_t j = i + 1; j < space.size(); ++j)
          (pair++)->share += anova.interaction(i, j) / anova.variance();
    });
    for (PairImportance& pair : pairs) pair.share /= static_cast<double>(trees);
  }
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const PairImportance& a, const PairImportance& b) { return a.share > b.share; });
  pairs.resize(std::min(pairs.size(), most));
  return pairs;
}

std::vector<Importance> kernel_importance(const Space& space, const History& history, std::size_t objective) {
  const CompleteTrials trials = complete_trials(history, objective);
  std::vector<double> shares(space.size());
  const Kernel kernel(space);
  if (trials.all_the_same() || kernel.dimensions() == 0) return most_important_first(space, shares);

  const std::size_t n = trials.values.size(), used = std::min(n, kMostKernelTrials);
  std::vector<Point> points;
  Eigen::VectorXd values(static_cast<Eigen::Index>(used));
  for (std::size_t k = 0; k < used; ++k) {
    points.push_back(trials.points[k * n / used]);
    values[static_cast<Eigen::Index>(k)] = trials.values[k * n / used];
  }
  const Surrogate surrogate = fit_surrogate(kernel, kernel.inputs(points), values, {});
  const Eigen::VectorXd fitted = fitted_values(space, surrogate, space.size());
  const double variance = (fitted.array() - fitted.mean()).square().mean();
  for (Eigen::Index c = 0; c < kernel.dimensions() && variance > 0; ++c) {
    const std::size_t i = kernel.column(c).dimension;
    shares[i] = (fitted_values(space, surrogate, i) - fitted).squaredNorm() / (2 * kKernelDraws * variance);
  }
  return most_important_first(space, shares);
}

}  // namespace trireme::tune
