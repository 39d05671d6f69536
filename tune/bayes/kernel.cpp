#include "tune/bayes/kernel.h"

#include <algorithm>
#include <cmath>

#include "tune/bayes/matern.h"

namespace trireme::tune {
namespace {

// The same conditions: parents and values as they were written.
bool same_gates(const std::vector<Space::Gate>& a, const std::vector<Space::Gate>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Space::Gate& x, const Space::Gate& y) {
    return x.parent == y.parent && x.condition.min == y.condition.min && x.condition.max == y.condition.max &&
           std::equal(x.condition.values.begin(), x.condition.values.end(), y.condition.values.begin(),
                      y.condition.values.end(), same_value);
  });
}

constexpr double kEdge = 1e-9;  // of a warped range: the warp's slope has no limit at its ends

double sigmoid(double logit) { return 1 / (1 + std::exp(-logit)); }

double inverse_square(const KernelParameters& parameters, Eigen::Index c) {
  return std::exp(2 * parameters.log_inverse_length[c]);
}

// Squared differences of all rows of a column from one value.
Eigen::ArrayXd squares_from(const Kernel& kernel, const KernelInputs& inputs, Eigen::Index c, double value) {
  const auto column = inputs.x.col(c).array();
  if (kernel.column(c).ordered) return (column - value).square();
  return (column != value).cast<double>();
}

// What one point has in common with each of some: factors of the covariance, group by group.
struct RowFactors {
  std::vector<Eigen::ArrayXd> factors, slopes;  // slopes: of the factor by its group's squared distance
  std::vector<Eigen::ArrayXd> single_slopes;    // of the factor 0 by a dimension's own squared difference
};

RowFactors row_factors(const Kernel& kernel, const KernelParameters& parameters, const KernelInputs& warped,
                       const KernelInputs& point, Eigen::Index at, bool with_slopes) {
  const Eigen::Index n = warped.size(), d = kernel.dimensions();
  const auto groups = static_cast<std::size_t>(kernel.groups()) + 1;
  RowFactors row{std::vector<Eigen::ArrayXd>(groups), std::vector<Eigen::ArrayXd>(groups), {}};
  std::vector<Eigen::ArrayXd> squared(groups, Eigen::ArrayXd::Zero(n));
  const double additive = sigmoid(parameters.additive_logit), shared = static_cast<double>(kernel.shared_dimensions());
  if (with_slopes) row.single_slopes.resize(static_cast<std::size_t>(d));
  Eigen::ArrayXd singles = Eigen::ArrayXd::Zero(n), value, slope;
  for (Eigen::Index c = 0; c < d; ++c) {
    const Eigen::ArrayXd own = inverse_square(parameters, c) * squares_from(kernel, warped, c, point.x(at, c));
    squared[static_cast<std::size_t>(kernel.column(c).group)] += own;
    if (kernel.column(c).group != 0) continue;
    if (with_slopes) {
      matern(shared * own, value, slope);
      row.single_slopes[static_cast<std::size_t>(c)] = additive * slope;  // times shared, over shared
    } else {
      matern(shared * own, value);
    }
    singles += value;
  }
  for (std::size_t g = 0; g < groups; ++g) {
    if (with_slopes)
      matern(squared[g], value, slope);
    else
      matern(squared[g], value);
    if (g == 0) {
      row.factors[0] = kernel.shared_dimensions() == 0 ? value : (1 - additive) * value + additive / shared * singles;
      if (with_slopes) row.slopes[0] = (1 - additive) * slope;
      continue;
    }
    const auto group = static_cast<Eigen::Index>(g) - 1;
    const double share = sigmoid(parameters.share_logit[group]);
    const auto mine = warped.active.col(group);
    const bool there = point.active(at, group) != 0;
    if (there)
      row.factors[g] = share + mine * (1 - share) * value;
    else
      row.factors[g] = 1 - mine * (1 - share);
    if (with_slopes) row.slopes[g] = there ? (mine * (1 - share) * slope).eval() : Eigen::ArrayXd::Zero(n).eval();
  }
  return row;
}

}  // namespace

Kernel::Kernel(const Space& space) : space_(&space) {
  for (std::size_t i = 0; i < space.size(); ++i) {
    if (space[i].levels() == 1) continue;
    Column column{i, space[i].is_ordered(), 0};
    if (!space.gates(i).empty()) {
      const auto known = std::find_if(group_dimension_.begin(), group_dimension_.end(), [&](std::size_t other) {
        return same_gates(space.gates(i), space.gates(other));
      });
      column.group = known - group_dimension_.begin() + 1;
      if (known == group_dimension_.end()) group_dimension_.push_back(i);
    } else {
      ++shared_;
    }
    columns_.push_back(column);
  }
}

KernelInputs Kernel::inputs(const std::vector<Point>& points) const {
  const auto n = static_cast<Eigen::Index>(points.size());
  KernelInputs inputs{Eigen::MatrixXd(n, dimensions()), Eigen::ArrayXXd(n, groups())};
  for (Eigen::Index row = 0; row < n; ++row) {
    const Point& point = points[static_cast<std::size_t>(row)];
    for (Eigen::Index c = 0; c < dimensions(); ++c) {
      const double position = point[column(c).dimension];
      if (std::isnan(position))
        inputs.x(row, c) = 0;
      else
        inputs.x(row, c) =
            column(c).ordered ? position : static_cast<double>((*space_)[column(c).dimension].level_of(position));
    }
    for (Eigen::Index g = 0; g < groups(); ++g)
      inputs.active(row, g) = !std::isnan(point[group_dimension_[static_cast<std::size_t>(g)]]);
  }
  return inputs;
}

KernelInputs Kernel::warp(const KernelInputs& inputs, const KernelParameters& parameters) const {
  KernelInputs warped = inputs;
  for (Eigen::Index c = 0; c < dimensions(); ++c) {
    if (!column(c).ordered || (parameters.log_a[c] == 0 && parameters.log_b[c] == 0)) continue;
    const double a = std::exp(parameters.log_a[c]), b = std::exp(parameters.log_b[c]);
    for (double& x : warped.x.col(c)) x = 1 - std::pow(1 - std::pow(std::clamp(x, kEdge, 1 - kEdge), a), b);
  }
  return warped;
}

double Kernel::warp_slope(const KernelParameters& parameters, Eigen::Index column, double x) const {
  if (parameters.log_a[column] == 0 && parameters.log_b[column] == 0) return 1;
  const double a = std::exp(parameters.log_a[column]), b = std::exp(parameters.log_b[column]);
  x = std::clamp(x, kEdge, 1 - kEdge);
  return a * b * std::pow(x, a - 1) * std::pow(1 - std::pow(x, a), b - 1);
}

Eigen::MatrixXd Kernel::covariance(const KernelParameters& parameters, const KernelInputs& a,
                                   const KernelInputs& b) const {
  Eigen::MatrixXd covariance(a.size(), b.size());
  for (Eigen::Index j = 0; j < b.size(); ++j) {
    const RowFactors row = row_factors(*this, parameters, a, b, j, false);
    auto column = covariance.col(j).array();
    column = row.factors[0];
    for (std::size_t g = 1; g < row.factors.size(); ++g) column *= row.factors[g];
  }
  return covariance;
}

void Kernel::row(const KernelParameters& parameters, const KernelInputs& warped, const KernelInputs& point,
                 Eigen::VectorXd& covariance, Eigen::MatrixXd& jacobian) const {
  const RowFactors row = row_factors(*this, parameters, warped, point, 0, true);
  std::vector<Eigen::ArrayXd> others(row.factors.size(), Eigen::ArrayXd::Ones(warped.size()));
  for (std::size_t g = 0; g < row.factors.size(); ++g)
    for (std::size_t other = 0; other < row.factors.size(); ++other)
      if (other != g) others[g] *= row.factors[other];
  covariance = row.factors[0] * others[0];
  jacobian.setZero(warped.size(), dimensions());
  for (Eigen::Index c = 0; c < dimensions(); ++c) {
    if (!column(c).ordered) continue;
    const auto g = static_cast<std::size_t>(column(c).group);
    Eigen::ArrayXd slope = row.slopes[g];
    if (g == 0) slope += row.single_slopes[static_cast<std::size_t>(c)];
    jacobian.col(c) =
        slope * others[g] * (2 * inverse_square(parameters, c)) * (point.x(0, c) - warped.x.col(c).array());
  }
}

KernelPairs::KernelPairs(const Kernel& kernel, const KernelInputs& inputs)
    : kernel_(kernel),
      inputs_(inputs),
      warped_(inputs),
      squares_(inputs.size() * (inputs.size() - 1) / 2, kernel.dimensions()) {
  const Eigen::Index n = inputs.size();
  const Eigen::VectorXd none = Eigen::VectorXd::Zero(kernel.dimensions());
  parameters_ = {none, none, none, Eigen::VectorXd::Zero(kernel.groups()), 0};
  const auto groups = static_cast<std::size_t>(kernel.groups());
  both_.assign(groups, Eigen::ArrayXd(pairs()));
  one_ = both_;
  values_.resize(groups + 1);
  slopes_.resize(groups + 1);
  factors_.resize(groups + 1);
  single_slopes_.resize(static_cast<std::size_t>(kernel.dimensions()));
  // Pairs (i, j), i > j, column by column of the lower triangle.
  for (Eigen::Index j = 0, at = 0; j < n; at += n - 1 - j, ++j) {
    const Eigen::Index below = n - 1 - j;
    for (Eigen::Index c = 0; c < kernel.dimensions(); ++c)
      squares_.col(c).segment(at, below) = squares_from(kernel, inputs, c, inputs.x(j, c)).tail(below);
    for (std::size_t g = 0; g < groups; ++g) {
      const auto mine = inputs.active.col(static_cast<Eigen::Index>(g)).tail(below);
      const double other = inputs.active(j, static_cast<Eigen::Index>(g));
      both_[g].segment(at, below) = mine * other;
      one_[g].segment(at, below) = (mine - other).abs();
    }
  }
}

void KernelPairs::set_warp(const KernelParameters& parameters) {
  const bool same = parameters.log_a == parameters_.log_a && parameters.log_b == parameters_.log_b;
  parameters_ = parameters;
  if (same) return;
  warped_ = kernel_.warp(inputs_, parameters);
  const Eigen::Index n = inputs_.size();
  for (Eigen::Index c = 0; c < kernel_.dimensions(); ++c) {
    if (!kernel_.column(c).ordered) continue;
    for (Eigen::Index j = 0, at = 0; j < n; at += n - 1 - j, ++j)
      squares_.col(c).segment(at, n - 1 - j) = (warped_.x.col(c).array().tail(n - 1 - j) - warped_.x(j, c)).square();
  }
}

void KernelPairs::evaluate(const KernelParameters& parameters, Eigen::MatrixXd& covariance) {
  set_warp(parameters);
  const Eigen::Index n = inputs_.size();
  std::vector<Eigen::ArrayXd> squared(factors_.size(), Eigen::ArrayXd::Zero(pairs()));
  for (Eigen::Index c = 0; c < kernel_.dimensions(); ++c)
    squared[static_cast<std::size_t>(kernel_.column(c).group)] += inverse_square(parameters, c) * squares_.col(c);
  for (std::size_t g = 0; g < factors_.size(); ++g) matern(squared[g], values_[g], slopes_[g]);

  const double additive = sigmoid(parameters.additive_logit), shared = static_cast<double>(kernel_.shared_dimensions());
  factors_[0] = values_[0];
  if (kernel_.shared_dimensions() > 0) {
    single_mean_.setZero(pairs());
    Eigen::ArrayXd value;
    for (Eigen::Index c = 0; c < kernel_.dimensions(); ++c) {
      if (kernel_.column(c).group != 0) continue;
      matern((shared * inverse_square(parameters, c)) * squares_.col(c), value,
             single_slopes_[static_cast<std::size_t>(c)]);
      single_mean_ += value;
    }
    single_mean_ /= shared;
    factors_[0] = (1 - additive) * values_[0] + additive * single_mean_;
  }
  for (std::size_t g = 1; g < factors_.size(); ++g) {
    const double share = sigmoid(parameters.share_logit[static_cast<Eigen::Index>(g) - 1]);
    factors_[g] = 1 - (1 - share) * (one_[g - 1] + both_[g - 1] * (1 - values_[g]));
  }
  Eigen::ArrayXd product = factors_[0];
  for (std::size_t g = 1; g < factors_.size(); ++g) product *= factors_[g];
  covariance.resize(n, n);
  covariance.diagonal().setOnes();
  for (Eigen::Index j = 0, at = 0; j < n; at += n - 1 - j, ++j)
    covariance.col(j).tail(n - 1 - j) = product.segment(at, n - 1 - j);
}

KernelParameters KernelPairs::gradient(const Eigen::MatrixXd& weights) {
  const Eigen::Index n = inputs_.size(), d = kernel_.dimensions();
  KernelParameters gradient{Eigen::VectorXd::Zero(d), Eigen::VectorXd::Zero(d), Eigen::VectorXd::Zero(d),
                            Eigen::VectorXd::Zero(kernel_.groups()), 0};
  Eigen::ArrayXd twice(pairs());  // each pair stands for two elements
  for (Eigen::Index j = 0, at = 0; j < n; at += n - 1 - j, ++j)
    twice.segment(at, n - 1 - j) = 2 * weights.col(j).tail(n - 1 - j).array();

  // By each group's squared distance.
  const double additive = sigmoid(parameters_.additive_logit);
  Eigen::ArrayXd by_single = twice;
  std::vector<Eigen::ArrayXd> by_squared(factors_.size());
  for (std::size_t g = 0; g < factors_.size(); ++g) {
    Eigen::ArrayXd others = twice;
    for (std::size_t other = 0; other < factors_.size(); ++other)
      if (other != g) others *= factors_[other];
    if (g == 0) {
      by_squared[0] = (1 - additive) * others * slopes_[0];
      by_single = additive * others;  // times shared, over shared
      if (kernel_.shared_dimensions() > 0)
        gradient.additive_logit = additive * (1 - additive) * (others * (single_mean_ - values_[0])).sum();
      continue;
    }
    const double share = sigmoid(parameters_.share_logit[static_cast<Eigen::Index>(g) - 1]);
    by_squared[g] = (1 - share) * others * both_[g - 1] * slopes_[g];
    gradient.share_logit[static_cast<Eigen::Index>(g) - 1] =
        share * (1 - share) * (others * (one_[g - 1] + both_[g - 1] * (1 - values_[g]))).sum();
  }

  for (Eigen::Index c = 0; c < d; ++c) {
    const auto g = static_cast<std::size_t>(kernel_.column(c).group);
    Eigen::ArrayXd by_square = by_squared[g];
    if (g == 0) by_square += by_single * single_slopes_[static_cast<std::size_t>(c)];
    const double weight = inverse_square(parameters_, c);
    gradient.log_inverse_length[c] = 2 * weight * (by_square * squares_.col(c)).sum();
    if (!kernel_.column(c).ordered || (parameters_.log_a[c] == 0 && parameters_.log_b[c] == 0)) continue;
    const auto z = warped_.x.col(c).array();
    Eigen::ArrayXd by_z = Eigen::ArrayXd::Zero(n);
    for (Eigen::Index j = 0, at = 0; j < n; at += n - 1 - j, ++j) {
      const Eigen::ArrayXd each = 2 * weight * by_square.segment(at, n - 1 - j) * (z.tail(n - 1 - j) - z[j]);
      by_z.tail(n - 1 - j) += each;
      by_z[j] -= each.sum();
    }
    const double a = std::exp(parameters_.log_a[c]), b = std::exp(parameters_.log_b[c]);
    for (Eigen::Index i = 0; i < n; ++i) {
      const double x = std::clamp(inputs_.x(i, c), kEdge, 1 - kEdge), power = std::pow(x, a), rest = 1 - power;
      gradient.log_a[c] += by_z[i] * a * b * std::pow(rest, b - 1) * power * std::log(x);
      gradient.log_b[c] -= by_z[i] * b * std::pow(rest, b) * std::log(rest);
    }
  }
  return gradient;
}

}  // namespace trireme::tune
