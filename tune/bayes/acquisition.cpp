#include "tune/bayes/acquisition.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/base/random.h"
#include "tune/bayes/expected_improvement.h"

namespace trireme::tune {
namespace {

// Of labels 1 and -1, standardised: how unsure of a label even a point in the midst of its like is.
constexpr double kLabelVariance = 0.02;
// Labels jump at the border of a region, which looks like a short length scale; with one, a few failed trials would say
// nothing of the rest of their region.
constexpr double kShortestLength = 0.4;

KernelInputs joined(const KernelInputs& a, const KernelInputs& b) {
  KernelInputs both{Eigen::MatrixXd(a.size() + b.size(), a.x.cols()),
                    Eigen::ArrayXXd(a.size() + b.size(), a.active.cols())};
  both.x << a.x, b.x;
  if (a.active.cols() > 0) both.active << a.active, b.active;
  return both;
}

// Equally likely answers: a column each, of values at the process's own points and then at `pending`.
Eigen::MatrixXd draw_answers(const Surrogate& surrogate, const KernelInputs& pending, std::uint64_t seed,
                             Eigen::Index count) {
  const GaussianProcess& process = surrogate.process;
  const Eigen::Index known = process.size(), all = known + pending.size();
  const KernelInputs open = surrogate.is_exact() ? pending : joined(process.inputs(), pending);
  double jitter = 0;
  const Eigen::MatrixXd factor =
      cholesky_factor(process.covariance(open), process.parameters().signal, jitter).triangularView<Eigen::Lower>();
  std::vector<float> normals(static_cast<std::size_t>(open.size() * count));
  RandomStream(seed, "tune/bayes/answers").fill_normal(normals.data(), 0, normals.size(), 1);
  const Eigen::MatrixXd draws = Eigen::Map<Eigen::MatrixXf>(normals.data(), open.size(), count).cast<double>();
  Eigen::MatrixXd answers(all, count);
  if (surrogate.is_exact()) answers.topRows(known).colwise() = process.targets();
  answers.bottomRows(open.size()) = (factor * draws).colwise() + process.predict(open).mean;
  return answers;
}

// The process whose observations are answers: they are values of the function itself.
GaussianProcess process_of(const Surrogate& surrogate, const KernelInputs& pending) {
  const GaussianProcess& process = surrogate.process;
  if (surrogate.is_exact() && pending.size() == 0) return process;
  GaussianProcessParameters parameters = process.parameters();
  // Some noise keeps the factor well conditioned.
  parameters.noise = std::min(parameters.noise, 1e-6 * parameters.signal);
  Eigen::VectorXd targets = Eigen::VectorXd::Constant(process.size() + pending.size(), parameters.mean);
  return GaussianProcess(process.kernel(), joined(process.inputs(), pending), std::move(targets),
                         std::move(parameters));
}

}  // namespace

double log_mean_exp(const Eigen::VectorXd& logs, Eigen::VectorXd& shares) {
  const double most = logs.maxCoeff();
  shares = (logs.array() - most).exp();
  const double sum = shares.sum();
  shares /= sum;
  return most + std::log(sum / static_cast<double>(logs.size()));
}

Scenarios::Scenarios(const Surrogate& surrogate, const KernelInputs& pending, std::uint64_t seed, Eigen::Index count)
    : process_(process_of(surrogate, pending)) {
  if (surrogate.is_exact() && pending.size() == 0) {
    weights_ = process_.weights();
    answers_ = process_.predict(process_.inputs()).mean;
    return;
  }
  answers_ = draw_answers(surrogate, pending, seed, count);
  weights_ = process_.weights_of(answers_);
}

Scenarios::Prediction Scenarios::predict(const KernelInputs& points) const {
  const GaussianProcess::Cross cross = process_.cross(points);
  return {(weights_.transpose() * cross.covariance).array() + process_.parameters().mean,
          cross.variance.cwiseMax(kLeastVariance).cwiseSqrt()};
}

Scenarios::Slopes Scenarios::slopes(const KernelInputs& point) const {
  const GaussianProcess::CrossSlopes cross = process_.cross_slopes(point);
  const double deviation = std::sqrt(std::max(cross.variance, kLeastVariance));
  return {(weights_.transpose() * cross.covariance).array() + process_.parameters().mean, deviation,
          cross.covariance_slope.transpose() * weights_, cross.variance_slope / (2 * deviation)};
}

LogImprovement::LogImprovement(const Surrogate& surrogate, const KernelInputs& pending, double margin,
                               std::uint64_t seed)
    : scenarios_(surrogate, pending, seed), log_unit_(surrogate.transform.log_slope_below_best()) {
  constexpr double kMost = 1e3;  // deviations: where the values' spread is beyond numbers
  goals_ =
      scenarios_.answers().colwise().minCoeff().transpose().array() - std::min(margin * std::exp(-log_unit_), kMost);
}

Eigen::VectorXd LogImprovement::values(const KernelInputs& points) const {
  const Scenarios::Prediction prediction = scenarios_.predict(points);
  Eigen::VectorXd values(points.size()), logs(scenarios_.count()), shares;
  for (Eigen::Index i = 0; i < points.size(); ++i) {
    for (Eigen::Index s = 0; s < scenarios_.count(); ++s)
      logs[s] = log_expected_improvement(goals_[s], prediction.means(s, i), prediction.deviations[i]).value;
    values[i] = log_mean_exp(logs, shares) + log_unit_;
  }
  return values;
}

double LogImprovement::value(const KernelInputs& point, Eigen::VectorXd& slope) const {
  const Scenarios::Slopes at = scenarios_.slopes(point);
  Eigen::VectorXd logs(scenarios_.count()), by_mean(scenarios_.count()), by_deviation(scenarios_.count()), shares;
  for (Eigen::Index s = 0; s < scenarios_.count(); ++s) {
    const auto improvement = log_expected_improvement(goals_[s], at.means[s], at.deviation);
    logs[s] = improvement.value;
    by_mean[s] = improvement.by_mean;
    by_deviation[s] = improvement.by_deviation;
  }
  const double value = log_mean_exp(logs, shares) + log_unit_;
  slope = at.mean_slopes * shares.cwiseProduct(by_mean) + at.deviation_slope * shares.dot(by_deviation);
  return value;
}

Eigen::VectorXd LogMeanAcquisition::values(const KernelInputs& points) const {
  Eigen::MatrixXd logs(static_cast<Eigen::Index>(parts_.size()), points.size());
  for (std::size_t i = 0; i < parts_.size(); ++i)
    logs.row(static_cast<Eigen::Index>(i)) = parts_[i]->values(points).transpose();
  Eigen::VectorXd values(points.size()), shares;
  for (Eigen::Index i = 0; i < points.size(); ++i) values[i] = log_mean_exp(logs.col(i), shares);
  return values;
}

double LogMeanAcquisition::value(const KernelInputs& point, Eigen::VectorXd& slope) const {
  const auto count = static_cast<Eigen::Index>(parts_.size());
  Eigen::VectorXd logs(count), own, shares;
  Eigen::MatrixXd slopes(point.x.cols(), count);
  for (Eigen::Index i = 0; i < count; ++i) {
    logs[i] = parts_[static_cast<std::size_t>(i)]->value(point, own);
    slopes.col(i) = own;
  }
  const double value = log_mean_exp(logs, shares);
  slope = slopes * shares;
  return value;
}

LogFeasibility::LogFeasibility(const Kernel& kernel, const KernelInputs& points, const Eigen::VectorXd& feasible)
    : surrogate_(
          fit_surrogate(kernel, points, -feasible, {.delta = kOnlyStandardised, .shortest_length = kShortestLength})) {}

// Labels are minus feasibility (a surrogate knows values to be minimised), standardised: 0 of the original lies at
// transform.apply(0).
Eigen::VectorXd LogFeasibility::values(const KernelInputs& points) const {
  const auto prediction = surrogate_.process.predict(points);
  const double middle = surrogate_.transform.apply(0), noise = surrogate_.process.parameters().noise;
  Eigen::VectorXd values(points.size());
  for (Eigen::Index i = 0; i < points.size(); ++i)
    values[i] =
        log_normal_cdf((middle - prediction.mean[i]) / std::sqrt(prediction.variance[i] + noise + kLabelVariance))
            .value;
  return values;
}

double LogFeasibility::value(const KernelInputs& point, Eigen::VectorXd& slope) const {
  const GaussianProcess& process = surrogate_.process;
  const auto cross = process.cross_slopes(point);
  const double mean = cross.covariance.dot(process.weights()) + process.parameters().mean;
  const double width = std::sqrt(cross.variance + process.parameters().noise + kLabelVariance);
  const double z = (surrogate_.transform.apply(0) - mean) / width;
  const auto log = log_normal_cdf(z);
  slope = log.slope * (-(cross.covariance_slope.transpose() * process.weights()) / width -
                       cross.variance_slope * (z / (2 * width * width)));
  return log.value;
}

Eigen::VectorXd SumAcquisition::values(const KernelInputs& points) const {
  Eigen::VectorXd sum = Eigen::VectorXd::Zero(points.size());
  for (const auto& part : parts_) sum += part->values(points);
  return sum;
}

double SumAcquisition::value(const KernelInputs& point, Eigen::VectorXd& slope) const {
  double sum = 0;
  Eigen::VectorXd own;
  slope = Eigen::VectorXd::Zero(point.x.cols());
  for (const auto& part : parts_) {
    sum += part->value(point, own);
    slope += own;
  }
  return sum;
}

}  // namespace trireme::tune
