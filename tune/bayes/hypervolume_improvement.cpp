#include "tune/bayes/hypervolume_improvement.h"

#include <algorithm>
#include <cmath>

#include "tune/bayes/expected_improvement.h"
#include "tune/search/pareto.h"

namespace trireme::tune {
namespace {

using Values = std::vector<std::vector<double>>;

constexpr double kBeyond = 0.1;  // of the values' range, to the reference point
// What a scenario's front is thinned to, by number of objectives: there are about as many boxes as values, to the power
// of objectives less one.
constexpr std::size_t kMostValues[] = {1, 1, 40, 16, 8, 6, 5};

// The front, without those that are least lonely where it has too many.
Values thinned_front(const Values& values) {
  Values front;
  for (const std::size_t i : pareto_front(values)) front.push_back(values[i]);
  std::sort(front.begin(), front.end());
  front.erase(std::unique(front.begin(), front.end()), front.end());
  const std::size_t objectives = values.front().size();
  const std::size_t most = kMostValues[std::min(objectives, std::size(kMostValues) - 1)];
  while (front.size() > most) {
    const auto distances = crowding_distances(front, std::vector<std::size_t>(front.size(), 0));
    front.erase(front.begin() + (std::min_element(distances.begin(), distances.end()) - distances.begin()));
  }
  return front;
}

struct LogDifference {
  double value, by_mean, by_deviation;
};

// log of E[(upper - f)^+] - E[(lower - f)^+]: how much of the interval a normal f is expected to win.
LogDifference log_difference(const LogExpectedImprovement& upper, const LogExpectedImprovement& lower, double width,
                             double z, double deviation) {
  const double ratio = std::exp(lower.value - upper.value);
  if (ratio < 1 - 1e-9)
    return {upper.value + std::log1p(-ratio), (upper.by_mean - ratio * lower.by_mean) / (1 - ratio),
            (upper.by_deviation - ratio * lower.by_deviation) / (1 - ratio)};
  // So narrow that it is won as a whole or not at all.
  const LogNormalCdf won = log_normal_cdf(z);
  return {std::log(width) + won.value, -won.slope / deviation, -won.slope * z / deviation};
}

}  // namespace

LogHypervolumeImprovement::LogHypervolumeImprovement(const std::vector<Surrogate>& surrogates,
                                                     const KernelInputs& pending, std::uint64_t seed) {
  for (std::size_t m = 0; m < surrogates.size(); ++m)
    objectives_.emplace_back(surrogates[m], pending, seed ^ (static_cast<std::uint64_t>(m) << 48));

  for (const Surrogate& each : surrogates) {
    const Eigen::VectorXd& targets = each.process.targets();
    const double best = targets.minCoeff(), worst = targets.maxCoeff();
    reference_.push_back(worst + kBeyond * (worst > best ? worst - best : 1));  // 1: a deviation
  }

  Eigen::Index scenarios = 1;
  for (const Scenarios& each : objectives_) scenarios = std::max(scenarios, each.count());
  for (std::size_t s = 0; s < static_cast<std::size_t>(scenarios); ++s) {
    Values values(static_cast<std::size_t>(objectives_.front().answers().rows()));
    for (std::size_t i = 0; i < values.size(); ++i)
      for (std::size_t m = 0; m < objectives_.size(); ++m)
        values[i].push_back(objectives_[m].answers()(static_cast<Eigen::Index>(i), answer_of(m, s)));
    cells_.push_back(cells_of(values));
  }
}

LogHypervolumeImprovement::Cells LogHypervolumeImprovement::cells_of(const Values& values) const {
  const std::vector<Box> boxes = undominated_boxes(thinned_front(values), reference_);
  const auto count = static_cast<Eigen::Index>(boxes.size()), objectives = static_cast<Eigen::Index>(reference_.size());
  Cells cells{std::vector<std::vector<double>>(reference_.size()), Eigen::ArrayXXi(count, objectives),
              Eigen::ArrayXXi(count, objectives)};
  for (std::size_t m = 0; m < reference_.size(); ++m) {
    std::vector<double>& levels = cells.levels[m];
    for (const Box& box : boxes) levels.push_back(box.upper[m]);  // a lower bound is another box's upper one
    std::sort(levels.begin(), levels.end());
    levels.erase(std::unique(levels.begin(), levels.end()), levels.end());
    const auto place = [&](double bound) {
      return static_cast<int>(std::lower_bound(levels.begin(), levels.end(), bound) - levels.begin());
    };
    for (Eigen::Index i = 0; i < count; ++i) {
      const Box& box = boxes[static_cast<std::size_t>(i)];
      cells.lower(i, static_cast<Eigen::Index>(m)) = std::isinf(box.lower[m]) ? -1 : place(box.lower[m]);
      cells.upper(i, static_cast<Eigen::Index>(m)) = place(box.upper[m]);
    }
  }
  return cells;
}

LogHypervolumeImprovement::Expectation LogHypervolumeImprovement::expectation(const Cells& cells,
                                                                              const Eigen::VectorXd& means,
                                                                              const Eigen::VectorXd& deviations,
                                                                              bool with_slopes) {
  const Eigen::Index count = cells.lower.rows(), objectives = cells.lower.cols();
  Eigen::VectorXd logs = Eigen::VectorXd::Zero(count);
  Eigen::MatrixXd by_mean(count, objectives), by_deviation(count, objectives);
  std::vector<LogExpectedImprovement> improvements;
  for (Eigen::Index m = 0; m < objectives; ++m) {
    const std::vector<double>& levels = cells.levels[static_cast<std::size_t>(m)];
    improvements.clear();
    for (const double level : levels) improvements.push_back(log_expected_improvement(level, means[m], deviations[m]));
    for (Eigen::Index i = 0; i < count; ++i) {
      const auto upper = static_cast<std::size_t>(cells.upper(i, m));
      LogDifference won{improvements[upper].value, improvements[upper].by_mean, improvements[upper].by_deviation};
      if (cells.lower(i, m) >= 0) {
        const auto lower = static_cast<std::size_t>(cells.lower(i, m));
        const double z = ((levels[upper] + levels[lower]) / 2 - means[m]) / deviations[m];
        won = log_difference(improvements[upper], improvements[lower], levels[upper] - levels[lower], z, deviations[m]);
      }
      logs[i] += won.value;
      by_mean(i, m) = won.by_mean;
      by_deviation(i, m) = won.by_deviation;
    }
  }
  Eigen::VectorXd shares;
  Expectation expectation{log_mean_exp(logs, shares) + std::log(static_cast<double>(count)), {}, {}};
  if (with_slopes) {
    expectation.by_mean = by_mean.transpose() * shares;
    expectation.by_deviation = by_deviation.transpose() * shares;
  }
  return expectation;
}

Eigen::VectorXd LogHypervolumeImprovement::values(const KernelInputs& points) const {
  std::vector<Scenarios::Prediction> predictions;
  for (const Scenarios& objective : objectives_) predictions.push_back(objective.predict(points));
  const auto objectives = static_cast<Eigen::Index>(objectives_.size());
  Eigen::VectorXd values(points.size()), logs(static_cast<Eigen::Index>(cells_.size())), shares;
  Eigen::VectorXd means(objectives), deviations(objectives);
  for (Eigen::Index i = 0; i < points.size(); ++i) {
    for (std::size_t s = 0; s < cells_.size(); ++s) {
      for (std::size_t m = 0; m < objectives_.size(); ++m) {
        means[static_cast<Eigen::Index>(m)] = predictions[m].means(answer_of(m, s), i);
        deviations[static_cast<Eigen::Index>(m)] = predictions[m].deviations[i];
      }
      logs[static_cast<Eigen::Index>(s)] = expectation(cells_[s], means, deviations, false).value;
    }
    values[i] = log_mean_exp(logs, shares);
  }
  return values;
}

double LogHypervolumeImprovement::value(const KernelInputs& point, Eigen::VectorXd& slope) const {
  std::vector<Scenarios::Slopes> at;
  for (const Scenarios& objective : objectives_) at.push_back(objective.slopes(point));
  const auto objectives = static_cast<Eigen::Index>(objectives_.size());
  Eigen::VectorXd logs(static_cast<Eigen::Index>(cells_.size())), shares, means(objectives), deviations(objectives);
  Eigen::MatrixXd slopes = Eigen::MatrixXd::Zero(point.x.cols(), logs.size());
  for (std::size_t s = 0; s < cells_.size(); ++s) {
    for (std::size_t m = 0; m < objectives_.size(); ++m) {
      means[static_cast<Eigen::Index>(m)] = at[m].means[answer_of(m, s)];
      deviations[static_cast<Eigen::Index>(m)] = at[m].deviation;
    }
    const Expectation here = expectation(cells_[s], means, deviations, true);
    logs[static_cast<Eigen::Index>(s)] = here.value;
    for (std::size_t m = 0; m < objectives_.size(); ++m)
      slopes.col(static_cast<Eigen::Index>(s)) +=
          at[m].mean_slopes.col(answer_of(m, s)) * here.by_mean[static_cast<Eigen::Index>(m)] +
          at[m].deviation_slope * here.by_deviation[static_cast<Eigen::Index>(m)];
  }
  const double value = log_mean_exp(logs, shares);
  slope = slopes * shares;
  return value;
}

}  // namespace trireme::tune
